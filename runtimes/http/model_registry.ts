/** The models that routes can use, by name. */
import type { Store } from "../../core/types.ts";

/** A model's or adapter's files. `id`: unique, used as the key of caches; `base`: the name of an adapter's model. */
export type ModelFiles = Readonly<{ id: string; files: Store; base?: string }>;

/** The models and adapters that a tenant may use. `open` checks names, and may know more than are listed. */
export type ModelRegistry = Readonly<{
  names(tenant: string): Promise<readonly string[]>;
  /** Whether `open` would fetch the model of this name from elsewhere, such as a hub. */
  isRemote?(name: string): boolean;
  open(name: string, tenant: string): Promise<ModelFiles | undefined>;
}>;

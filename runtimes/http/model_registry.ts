/** Named models, as routes ask for them. */
import type { Store } from "../../core/types.ts";

/** A model's or adapter's files. `id` is no one else's: caches know it by that. `base`: the name of an adapter's model. */
export type ModelFiles = Readonly<{ id: string; files: Store; base?: string }>;

/** The models and adapters that a tenant may use; `open` may know more than are listed. Names are checked by it. */
export type ModelRegistry = Readonly<{
  names(tenant: string): Promise<readonly string[]>;
  /** Whether `open` would fetch what has this name from elsewhere, as from a hub. */
  isRemote?(name: string): boolean;
  open(name: string, tenant: string): Promise<ModelFiles | undefined>;
}>;

/** Families of models; they have no options. */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Architecture, Factory } from "../../core/types.ts";

/** No options: everything is in the checkpoint's config. */
export type ModelOptions = Readonly<Record<never, never>>;

const modelSchema: v.GenericSchema<ModelOptions, ModelOptions> = v.strictObject({});

/** A family of models by how its configs are read. `modelTypes`: what they call it, where not by its name. */
export function defineArchitecture(
  { name, modelTypes = [name], read }: Readonly<
    { name: string; modelTypes?: readonly string[]; read: Architecture["read"] }
  >,
): Factory<"architecture", ModelOptions> {
  return define({ kind: "architecture", name, schema: modelSchema, create: () => ({ modelTypes, read }) });
}

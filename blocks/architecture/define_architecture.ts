/** Plugins of model families; they have no options. */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Architecture, Factory } from "../../core/types.ts";

/** No options: everything is in the checkpoint's config. */
export type ModelOptions = Readonly<Record<never, never>>;

const modelSchema: v.GenericSchema<ModelOptions, ModelOptions> = v.strictObject({});

/** Defines a model family by a function that reads configs. `modelTypes`: its `model_type`s; by default the name. */
export function defineArchitecture(
  { name, modelTypes = [name], read }: Readonly<
    { name: string; modelTypes?: readonly string[]; read: Architecture["read"] }
  >,
): Factory<"architecture", ModelOptions> {
  return define({ kind: "architecture", name, schema: modelSchema, create: () => ({ modelTypes, read }) });
}

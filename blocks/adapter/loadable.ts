/** Adapters that can continue a saved one through their option `from`. */
import * as v from "valibot";
import { role } from "../options/mod.ts";
import { missing } from "../../core/base/errors.ts";
import { define } from "../../core/spec/define.ts";
import type {
  Adapter,
  AttachContext,
  AttachedAdapter,
  Factory,
  InspectedBackbone,
  Plugin,
  Weights,
} from "../../core/types.ts";
import type { AdapterReader } from "../../formats/adapter_reader.ts";
import type { PeftType } from "../../formats/peft/peft_type.ts";
import { readPeft } from "../../formats/peft/read.ts";

/** Options for the modules to save and the adapter to continue. */
export interface SavedOptions {
  /** Modules that are trained in full; null: the task's head. */
  readonly modulesToSave: readonly string[] | null;
  /** The folder of an adapter saved by PEFT, to continue training it; its config replaces the options above. */
  readonly from: string | null;
}

/** Schema entries of {@link SavedOptions}. */
export const savedEntries: Readonly<{
  modulesToSave: v.OptionalSchema<v.GenericSchema<readonly string[] | null>, null>;
  from: v.OptionalSchema<v.GenericSchema<string | null>, null>;
}> = {
  modulesToSave: v.optional(v.nullable(v.array(v.string())), null),
  from: role(v.optional(v.nullable(v.string()), null), { role: "path" }),
};

/** Attaches an adapter to an opened model. `saved`: the weights of the adapter to continue. */
export type Attach<O> = (
  options: O,
  backbone: InspectedBackbone,
  context: AttachContext,
  saved?: Weights,
) => AttachedAdapter;

/** Defines an adapter that PEFT's files can continue. `schema` needs an entry for each option that a config records. */
export function definePeft<O extends SavedOptions>(
  plugin:
    & Pick<PeftType<O>, "name" | "type" | "prefix" | "ignoredFields">
    & Readonly<{ schema: v.GenericSchema<Partial<O>, O> & Readonly<{ entries: object }>; attach: Attach<O> }>,
): Factory<"adapter", Partial<O>> {
  const { name, schema, attach } = plugin;
  const reader = readPeft({ ...plugin, names: Object.keys(schema.entries) });
  return define({ kind: "adapter", name, schema, create: (options) => openAndAttach(reader, options, attach) });
}

/** Returns the `open` and `attach` of such an adapter. */
export function openAndAttach<O extends { readonly from: string | null }>(
  { name, read }: AdapterReader<O>,
  options: O,
  attach: Attach<O>,
): Omit<Adapter, keyof Plugin> {
  const { from } = options;
  if (from === null) return { attach: (backbone, context) => attach(options, backbone, context) };
  return {
    open: async (host) => {
      const { options: stored, weights, isTrained = () => true } = await read(from, host);
      return {
        kind: "adapter",
        name,
        options,
        attach: (backbone, context) => {
          const modules = context.modules.filter((module) => isTrained(module, context));
          return attach(stored, backbone, { ...context, modules }, weights(context));
        },
      };
    },
    attach: () => {
      throw missing(name, "the saved adapter (open it first)", from);
    },
  };
}

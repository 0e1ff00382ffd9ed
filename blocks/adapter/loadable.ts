/**
 * Adapters whose option `from` continues one that was saved.
 * @module
 */
import { missing } from "../../core/base/errors.ts";
import type { Adapter, AttachContext, AttachedAdapter, InspectedBackbone, Plugin, Weights } from "../../core/types.ts";
import type { AdapterReader } from "../../formats/adapter_reader.ts";

/** `open` and `attach` of such an adapter. */
export function loadable<O extends { readonly from: string | null }>(
  { name, read }: AdapterReader<O>,
  options: O,
  attach: (options: O, backbone: InspectedBackbone, context: AttachContext, saved?: Weights) => AttachedAdapter,
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

/** What is saved of an adapter in PEFT's format, and the names of a file's tensors in a model. */
import type { AdapterRecord, AttachContext, Tensor, Weights } from "../../core/types.ts";
import { peftConfig } from "./config.ts";
import { PREFIX } from "./wrapped_key.ts";

/**
 * The record of an adapter of a type of PEFT's. `options`: as they will be saved. If a classifier contains the model
 * under a name, that name is a prefix in the file.
 */
export function peftRecord(
  type: string,
  options: () => object,
  { task, parent }: AttachContext,
  { key, derived }: Pick<AdapterRecord, "key" | "derived">,
): AdapterRecord {
  const placed = (name: string): string => parent ? name.replace(PREFIX, `${PREFIX}${parent.module}.`) : name;
  const isBeside = (name: string): boolean => parent?.beside.some((module) => name.startsWith(`${module}.`)) === true;
  return {
    formats: { peft: type },
    get config() {
      return peftConfig(type, options(), task);
    },
    key: (name) => {
      const plain = key(name);
      return plain === undefined || isBeside(name) ? plain : placed(plain);
    },
    ...(derived && {
      derived: async (read: (name: string) => Promise<Tensor<Float32Array>>) =>
        Object.fromEntries(Object.entries(await derived(read)).map(([name, tensor]) => [placed(name), tensor])),
    }),
  };
}

/** A file's tensors under the names of a model that its classifier holds under a name. */
export function withoutParent(weights: Weights, { parent }: AttachContext): Weights {
  if (!parent) return weights;
  const before = `${parent.module}.`;
  const names = new Map(weights.names.map((n) => [n.startsWith(before) ? n.slice(before.length) : n, n]));
  return { ...weights, names: [...names.keys()], read: (name) => weights.read(names.get(name) ?? name) };
}

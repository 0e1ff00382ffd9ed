/** Records of adapters saved in PEFT's format, and the names in a model of a file's tensors. */
import type { AdapterRecord, AttachContext, Tensor, Weights } from "../../core/types.ts";
import { peftConfig } from "./config.ts";
import { PREFIX } from "./wrapped_key.ts";

/**
 * Returns the record of an adapter of one of PEFT's types. `options`: returns them as they are saved. If a classifier
 * contains the model under a name, that name is a prefix in the file.
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

/** Renames a file's tensors to the model's names, if a classifier contains the model under a name. */
export function withoutParent(weights: Weights, { parent }: AttachContext): Weights {
  if (!parent) return weights;
  const before = `${parent.module}.`;
  const names = new Map(weights.names.map((n) => [n.startsWith(before) ? n.slice(before.length) : n, n]));
  return { ...weights, names: [...names.keys()], read: (name) => weights.read(names.get(name) ?? name) };
}

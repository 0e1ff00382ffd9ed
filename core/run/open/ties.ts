/** Finds out which shared tensors of a model are really equal in a checkpoint. */
import { storedNames } from "../../engine/weights.ts";
import type { Checkpoint, InspectedBackbone, Json, Named, Weights } from "../../types.ts";

/** Bytes that are compared at a time. */
const PIECE = 2 ** 20;

/**
 * Returns the model's ties that a checkpoint breaks: it has both tensors, with different values, as after training them
 * separately. They count as two tensors then, whatever the config says, as in transformers.
 */
export async function untiedIn({ weights }: Checkpoint, backbone: InspectedBackbone): Promise<readonly string[]> {
  const find = storedNames(weights.names, { ...backbone, ties: {} });
  const untied: string[] = [];
  for (const [name, source] of Object.entries(backbone.ties)) {
    const [tensor, other] = [find(name), find(source)];
    if (tensor !== undefined && other !== undefined && !await equal(weights, tensor, other)) untied.push(name);
  }
  return untied;
}

/** Returns the config fields of a model whose tensors are separate although its class would share them. */
export function untiedConfig({ untiedConfig: change }: Pick<InspectedBackbone, "untiedConfig">): Named<Json> {
  return change ?? { tie_word_embeddings: false };
}

async function equal(weights: Weights, a: string, b: string): Promise<boolean> {
  const [at, other] = [weights.locate(a), weights.locate(b)];
  if (at && other && at.dims.join() !== other.dims.join()) return false;
  const [left, right] = [weights.part?.(a), weights.part?.(b)];
  if (at && other && left && right && at.dtype === other.dtype) {
    for (let from = 0; from < at.bytes; from += PIECE) {
      const length = Math.min(PIECE, at.bytes - from);
      const [x, y] = [await left(from, length), await right(from, length)];
      if (!x.every((byte, i) => byte === y[i])) return false;
    }
    return true;
  }
  const [x, y] = [await weights.read(a), await weights.read(b)];
  return x.data.length === y.data.length && x.data.every((value, i) => value === y.data[i]);
}

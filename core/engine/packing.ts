/** Memory for packed weights, which sessions copy to multiply faster. */
import { sizeOf } from "../base/tensor.ts";
import type { Program } from "./program.ts";
import type { InitialWeights } from "./weights.ts";
import { productsOf } from "./work.ts";

/** Returns the bytes of frozen matrices that a session packs; tables that are only gathered from are never packed. */
export function frozenBytes(
  program: Program,
  fed: ReadonlyMap<string, unknown>,
  initial: Pick<InitialWeights, "storageOf">,
): number {
  const multiplied = new Set(productsOf(program.graph).flatMap(({ node }) => node.inputs));
  let bytes = 0;
  for (const p of program.recorded.parameters.values()) {
    // A table that is also the head is packed; with a large vocabulary it may be the largest matrix.
    const isPacked = p.ids.length === 0 || multiplied.has(p.value);
    if (!fed.has(p.name) && isPacked && !initial.storageOf(p)) bytes += 4 * sizeOf(p.shape);
  }
  return bytes;
}

/** Returns the bytes of all frozen matrices as float32, including tables. */
export function packedBytes(
  program: Program,
  fed: ReadonlyMap<string, unknown>,
  initial: Pick<InitialWeights, "storageOf">,
): number {
  const matrices = [...program.recorded.parameters.values()].filter((p) =>
    !fed.has(p.name) && p.shape.length > 1 && !initial.storageOf(p)
  );
  return matrices.reduce((bytes, p) => bytes + 4 * sizeOf(p.shape), 0);
}

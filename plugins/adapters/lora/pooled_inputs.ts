/** QA-LoRA's pooling: A reads one number per group of inputs (Xu et al. 2023, scaled as in PEFT). */
import { badValue } from "../../../core/base/errors.ts";
import { mul, reshape, sum } from "../../../core/graph/ops/functions.ts";
import type { Value } from "../../../core/types.ts";

/** Returns the number of groups. Throws AttuneError if the group size does not divide a layer's inputs. */
export function groupsOfInputs(plugin: string, path: string, inFeatures: number, groupSize: number): number {
  if (inFeatures % groupSize === 0) return inFeatures / groupSize;
  throw badValue(plugin, "adapter.with.qaloraGroupSize", groupSize, `a divisor of the ${inFeatures} inputs of ${path}`);
}

/** Returns the mean of each group times the number of groups: [rows, in] → [rows, groups]. */
export function pooled(x: Value, inFeatures: number, groupSize: number): Value {
  const groups = inFeatures / groupSize;
  const parts = reshape(x, [x.shape[0] ?? 1, groups, groupSize]);
  return mul(sum(parts, -1), groups / groupSize);
}

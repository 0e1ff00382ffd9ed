/** QA-LoRA's inputs: A reads one number for each group of them (Xu et al. 2023, scaled as PEFT scales it). */
import { badValue } from "../../../core/base/errors.ts";
import { mul, reshape, sum } from "../../../core/graph/ops/functions.ts";
import type { Value } from "../../../core/types.ts";

/** The number of groups. Throws AttuneError if they do not divide a layer's inputs. */
export function groupsOfInputs(plugin: string, path: string, inFeatures: number, groupSize: number): number {
  if (inFeatures % groupSize === 0) return inFeatures / groupSize;
  throw badValue(plugin, "adapter.with.qaloraGroupSize", groupSize, `a divisor of the ${inFeatures} inputs of ${path}`);
}

/** The mean over each group, times the number of groups: [rows, groups] of [rows, in]. */
export function pooled(x: Value, inFeatures: number, groupSize: number): Value {
  const groups = inFeatures / groupSize;
  const parts = reshape(x, [x.shape[0] ?? 1, groups, groupSize]);
  return mul(sum(parts, -1), groups / groupSize);
}

/** Swapping of training and evaluation weights in the same memory, for optimizers that distinguish them. */
import type { Optimizer } from "../../types.ts";
import type { UpdateGroup } from "./memory.ts";
import { reachKey } from "./plan.ts";
import type { Progress } from "./saved.ts";

/** Puts the training weights or the evaluation weights in place. */
export type WeightSwap = (weights: "trained" | "evaluated") => void;

/** Creates a swap, with the training weights in place. */
export function createWeightSwap(
  progress: Progress,
  groups: readonly UpdateGroup[],
  optimizer: Pick<Optimizer, "swapEvaluationWeights">,
): WeightSwap {
  const { trained, updatesByReach } = progress;
  // The training weights while the evaluation weights are in place.
  let aside: readonly Float32Array[] | undefined;
  return (weights) => {
    if (weights === "trained") {
      trained.forEach((t, i) => aside?.[i] && t.span.parameter.set(aside[i]));
      aside = undefined;
      return;
    }
    // Before the first update there is nothing to average.
    if (aside || !optimizer.swapEvaluationWeights || progress.updates === 0) return;
    aside = trained.map((t) => t.span.parameter.slice());
    for (const { span, settings } of groups) {
      const updates = updatesByReach.get(reachKey(settings)) ?? progress.updates;
      if (updates > 0) optimizer.swapEvaluationWeights(span, span.parameter);
    }
  };
}

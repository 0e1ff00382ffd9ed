/** The weights that train and those to evaluate, in one place by turns, where an optimizer tells them apart. */
import type { Optimizer } from "../../types.ts";
import type { UpdateGroup } from "./memory.ts";
import { reachKey } from "./plan.ts";
import type { Progress } from "./saved.ts";

/** Puts the weights that train in place, or those to evaluate. */
export type WeightSwap = (weights: "trained" | "evaluated") => void;

/** A swap that has the weights that train in place. */
export function createWeightSwap(
  progress: Progress,
  groups: readonly UpdateGroup[],
  optimizer: Pick<Optimizer, "swapEvaluationWeights">,
): WeightSwap {
  const { trained, updatesByReach } = progress;
  // The weights that train, while those to evaluate are in place.
  let aside: readonly Float32Array[] | undefined;
  return (weights) => {
    if (weights === "trained") {
      trained.forEach((t, i) => aside?.[i] && t.span.parameter.set(aside[i]));
      aside = undefined;
      return;
    }
    // Before the first step there is nothing to average.
    if (aside || !optimizer.swapEvaluationWeights || progress.updates === 0) return;
    aside = trained.map((t) => t.span.parameter.slice());
    for (const { span, settings } of groups) {
      const updates = updatesByReach.get(reachKey(settings)) ?? progress.updates;
      if (updates > 0) optimizer.swapEvaluationWeights(span, span.parameter);
    }
  };
}

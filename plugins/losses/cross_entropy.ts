/**
 * Cross entropy over classes.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { chunkedLogits } from "../../core/graph/chunked_logits.ts";
import {
  add,
  cast,
  constant,
  equal,
  gather,
  logSoftmax,
  maximum,
  mean,
  mul,
  neg,
  not,
  pick,
  sum,
} from "../../core/graph/ops/functions.ts";
import { f32 } from "../../core/base/tensor.ts";
import type { Factory, Loss, Plugin, Tensor, Value } from "../../core/types.ts";
import {
  balancedWeights,
  countFor,
  type Reduction,
  reductionSchema,
  rowsOf,
  weightedSum,
} from "../../blocks/loss/mod.ts";

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions {
  /** Targets with this value are left out of the sum and the count. */
  readonly ignoreIndex: number;
  /**
   * What the mean is over: all "tokens" of the optimizer step (also called "step"; for language models), or each
   * "batch", averaging the means of the batches.
   */
  readonly over: "step" | "tokens" | "batch";
  /** The weight of each class; the sum is divided by the weights of the targets. */
  readonly weight?: readonly number[] | undefined;
  /** The same as `weight`, or "balanced": n / (k n_k) from the training rows, as in scikit-learn. */
  readonly classWeights?: "balanced" | readonly number[] | undefined;
  /** ε of label smoothing, instead of the run's `labelSmoothingFactor`. */
  readonly labelSmoothing?: number | undefined;
  /** Whether targets are class indices, or a probability for each class. */
  readonly target: "indices" | "probabilities";
  /** The mean over all targets, or their sum. */
  readonly reduction: Reduction;
}

/**
 * -ln softmax(logits)[target]; with label smoothing ε: (1-ε)·nll + ε·mean over classes of -ln p (Szegedy et al. 2016).
 *
 * @example
 * ```ts
 * import { crossEntropy } from "attune/losses/cross-entropy";
 * console.assert(crossEntropy().count({ dtype: "int32", dims: [2], data: Int32Array.of(1, -100) }) === 1);
 * ```
 */
export const crossEntropy: Factory<"loss", Partial<CrossEntropyOptions>> = define({
  kind: "loss",
  name: "cross-entropy",
  schema: v.pipe(
    v.strictObject({
      ignoreIndex: v.optional(v.pipe(v.number(), v.integer()), -100),
      over: v.optional(v.picklist(["step", "tokens", "batch"]), "batch"),
      weight: v.optional(v.array(v.pipe(v.number(), v.minValue(0)))),
      classWeights: v.optional(v.union([v.literal("balanced"), v.array(v.pipe(v.number(), v.minValue(0)))])),
      labelSmoothing: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1))),
      target: v.optional(v.picklist(["indices", "probabilities"]), "indices"),
      reduction: reductionSchema,
    }),
    v.check(
      ({ weight, classWeights }) => weight === undefined || classWeights === undefined,
      "weight or classWeights, not both",
    ),
  ),
  create: (options: CrossEntropyOptions) => entropyOf(options),
});

function entropyOf(options: CrossEntropyOptions): Omit<Loss, keyof Plugin> {
  const { ignoreIndex, over, classWeights, labelSmoothing, target, reduction } = options;
  const isBalanced = classWeights === "balanced";
  const weight = isBalanced ? undefined : classWeights ?? options.weight;
  const weights = (like: Value): Value | undefined => weight && constant(like, f32([weight.length], weight));
  const countOf = ({ data }: Tensor, rowWeight?: Tensor): number => {
    let count = 0;
    data.forEach((id: number | bigint, i: number) => {
      if (Number(id) !== ignoreIndex) count += (weight?.[Number(id)] ?? 1) * Number(rowWeight?.data[i] ?? 1);
    });
    return count;
  };
  return {
    over: over === "batch" ? "batch" : "step",
    weighted: true,
    compares: target === "probabilities" ? "elements" : "classes",
    perClass: { weight },
    sum: (b, logits, labels, rowWeight) => {
      const logp = (): Value => logSoftmax(logits); // [rows, classes]
      const e = labelSmoothing ?? b.labelSmoothing;
      const w = weights(logits);
      const even = (): Value => mul(neg(mean(w ? mul(logp(), w) : logp(), -1)), e); // [rows]
      if (target === "probabilities") {
        const nll = neg(sum(mul(w ? mul(logp(), w) : logp(), labels), -1));
        return weightedSum(e === 0 ? nll : add(mul(nll, 1 - e), even()), rowWeight);
      }
      const counts = cast(not(equal(labels, ignoreIndex)), "float32"); // [rows]
      const classes = maximum(labels, 0);
      // The logits of a large vocabulary are not computed at once.
      const many = w && e !== 0
        ? undefined
        : chunkedLogits(logits, classes, { mean: e !== 0, best: b.mode !== "train" });
      const nll = neg(many?.label ?? pick(logp(), classes));
      const weighted = w ? mul(nll, gather(w, classes)) : nll;
      const each = e === 0 ? weighted : add(mul(weighted, 1 - e), many?.mean ? mul(neg(many.mean), e) : even());
      return weightedSum(mul(each, counts), rowWeight);
    },
    count: countFor(reduction, target === "probabilities" ? rowsOf : countOf),
    ...(isBalanced
      ? {
        withClassCounts: (counts: readonly number[]) =>
          crossEntropy({ ...options, classWeights: balancedWeights(counts) }),
      }
      : {}),
  };
}

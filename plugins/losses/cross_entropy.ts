/**
 * Cross entropy over classes.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import { add, cast, equal, logSoftmax, maximum, mean, mul, neg, not, pick, sum } from "../../core/graph/functions.ts";
import type { Factory } from "../../core/types.ts";

/** Options of {@link crossEntropy}. */
export interface CrossEntropyOptions {
  /** Targets of this value stay out of the sum and of the count. */
  readonly ignoreIndex: number;
  /** One mean over the optimizer step (language models) or the mean of the micro-batches' means. */
  readonly over: "step" | "batch";
}

/** Schema of {@link CrossEntropyOptions}. */
export const crossEntropySchema: v.GenericSchema<Partial<CrossEntropyOptions>, CrossEntropyOptions> = v.strictObject({
  ignoreIndex: v.optional(v.pipe(v.number(), v.integer()), -100),
  over: v.optional(v.picklist(["step", "batch"]), "batch"),
});

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
  schema: crossEntropySchema,
  create: ({ ignoreIndex, over }) => ({
    over,
    sum: (b, logits, target) => {
      const logp = logSoftmax(logits); // [rows, classes]
      const kept = cast(not(equal(target, ignoreIndex)), "float32"); // [rows]
      const nll = neg(pick(logp, maximum(target, 0)));
      const e = b.labelSmoothing;
      const each = e === 0 ? nll : add(mul(nll, 1 - e), mul(neg(mean(logp, -1)), e));
      return sum(mul(each, kept));
    },
    count: (target) => {
      let count = 0;
      for (const id of target.data) if (Number(id) !== ignoreIndex) count++;
      return count;
    },
  }),
});

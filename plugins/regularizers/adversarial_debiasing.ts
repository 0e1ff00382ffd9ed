/**
 * Representations that do not reveal a protected attribute.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { unknownName } from "../../core/base/errors.ts";
import * as f from "../../core/graph/ops/functions.ts";
import type { Factory } from "../../core/types.ts";

/** Options of {@link adversarialDebiasing}. */
export interface AdversarialDebiasingOptions {
  /** The column with the attribute; rows without it train only the task. */
  readonly column: string;
  /** The values of the attribute. */
  readonly labels: readonly string[];
  /** How strongly the model works against the adversary; 0: not at all. */
  readonly lambda: number;
  /** Which hidden state of a sequence the adversary reads. */
  readonly pooling: "first" | "last";
}

type Input = Readonly<{ column: string; labels: readonly string[]; lambda?: number; pooling?: "first" | "last" }>;

const IGNORED = -100;

/**
 * An adversary (Ganin et al. 2016; Zhang et al. 2018): a linear classifier of the last hidden state (of the encoder, in
 * encoder-decoder models) predicts the attribute, and its gradient enters the model reversed and times λ. The adversary
 * learns to predict the attribute, the model to hide it. It is trained along with the model, but not saved.
 *
 * @example
 * ```ts
 * import { adversarialDebiasing } from "attune/regularizers/adversarial-debiasing";
 * const { fields } = adversarialDebiasing({ column: "gender", labels: ["f", "m"] });
 * console.assert(fields?.({ gender: "m" }, 0)["adversary.gender"]?.data[0] === 1);
 * ```
 */
export const adversarialDebiasing: Factory<"regularizer", Input> = define({
  kind: "regularizer",
  name: "adversarial-debiasing",
  schema: v.strictObject({
    column: v.pipe(v.string(), v.nonEmpty()),
    labels: v.pipe(v.array(v.string()), v.minLength(2)),
    lambda: v.optional(v.pipe(v.number(), v.minValue(0)), 1),
    pooling: v.optional(v.picklist(["first", "last"]), "first"),
  }),
  create: ({ column, labels, lambda, pooling }: AdversarialDebiasingOptions) => {
    const field = `adversary.${column}`;
    return {
      fields: (row, index) => {
        const value = row[column];
        const label = value === undefined || value === null ? IGNORED : labels.indexOf(String(value));
        if (label === -1) {
          throw unknownName("adversarial-debiasing", `${column} of row ${index}`, "value", String(value), labels);
        }
        return { [field]: { axis: "sample", data: Int32Array.of(label), padValue: IGNORED } };
      },
      term: (b, { states }) => {
        const target = b.input(field, "int32", ["sequences"]);
        const hidden = f.reverseGradient(b.rows(states.encoder ?? states.hidden, b.stream()[pooling]), lambda);
        const size = hidden.shape.at(-1) as number;
        const weight = b.parameter("weight", [labels.length, size]);
        const bias = b.parameter("bias", [labels.length], "zeros");
        const logp = f.logSoftmax(f.gemm(hidden, weight, bias, { transB: true }));
        const known = f.cast(f.greater(target, -1), "float32");
        const nll = f.mul(f.neg(f.pick(logp, f.maximum(target, 0))), known);
        return f.div(f.sum(nll), f.maximum(f.sum(known), 1));
      },
    };
  },
});

import { add, define, exp, logSoftmax, mul, neg, pick, sum } from "attune/kit";
import * as v from "valibot";

/** Cross entropy and ε (1 - p) of the right class (Leng et al. 2022), but for its constant ε. */
export const polyOne = define({
  kind: "loss",
  name: "poly-one",
  schema: v.strictObject({ epsilon: v.optional(v.number(), 1) }),
  create: ({ epsilon }) => ({
    over: "batch",
    compares: "classes",
    sum: (_, logits, target) => {
      const logp = pick(logSoftmax(logits), target);
      return neg(sum(add(logp, mul(exp(logp), epsilon))));
    },
    count: (target) => target.data.length,
  }),
});

import { add, cast, define, equal, exp, logSoftmax, maximum, mul, neg, not, pick, sum } from "attune/kit";
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
      const learned = cast(not(equal(target, -100)), "float32");
      const logp = pick(logSoftmax(logits), maximum(target, 0));
      return neg(sum(mul(add(logp, mul(exp(logp), epsilon)), learned)));
    },
    count: ({ data }) => Array.from(data, Number).filter((label) => label !== -100).length,
  }),
});

import { commonEntries, decayOf, idleDecoupled, withCommon } from "attune/blocks/optimizer";
import { define } from "attune/kit";
import * as v from "valibot";

/** Every weight goes a step of the same length, by the sign of its gradient (Bernstein et al. 2018). */
export const signSgd = define({
  kind: "optimizer",
  name: "sign-sgd",
  schema: v.strictObject(commonEntries()),
  create: (options) =>
    withCommon(options, {
      elementwise: true,
      state: () => ({}),
      update: ({ parameter, gradient }, update) => {
        const keep = 1 - update.learningRate * decayOf(update, options);
        parameter.forEach((w, i) => parameter[i] = w * keep - update.learningRate * Math.sign(gradient[i] ?? 0));
      },
      decayWithoutGradient: idleDecoupled(options),
    }),
});

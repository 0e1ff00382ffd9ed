import { define } from "attune/kit";
import * as v from "valibot";

/** Half the rate after every so many steps. */
export const stairs = define({
  kind: "schedule",
  name: "stairs",
  schema: v.strictObject({ every: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 2) }),
  create: ({ every }) => ({ factor: (step) => 0.5 ** Math.floor(step / every) }),
});

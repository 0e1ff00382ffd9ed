/**
 * The constant schedule.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";

/**
 * A constant learning rate.
 *
 * @example
 * ```ts
 * import { constant } from "attune/schedules/constant";
 * console.assert(constant().factor(7, 10, 1e-3) === 1);
 * ```
 */
export const constant: Factory<"schedule"> = define({
  kind: "schedule",
  name: "constant",
  schema: v.strictObject({}),
  create: () => ({ factor: () => 1 }),
});

/**
 * The constant schedule.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";

/** Options of {@link constant}: none. */
export type ConstantOptions = Readonly<Record<never, never>>;

/** Schema of {@link ConstantOptions}. */
export const constantSchema: v.GenericSchema<ConstantOptions, ConstantOptions> = v.strictObject({});

/**
 * A constant learning rate.
 *
 * @example
 * ```ts
 * import { constant } from "attune/schedules/constant";
 * console.assert(constant().factor(7, 10, 1e-3) === 1);
 * ```
 */
export const constant: Factory<"schedule", ConstantOptions> = define({
  kind: "schedule",
  name: "constant",
  schema: constantSchema,
  create: () => ({ factor: () => 1 }),
});

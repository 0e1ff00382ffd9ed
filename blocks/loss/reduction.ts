/**
 * The divisor of a loss, for each reduction.
 * @module
 */
import * as v from "valibot";
import type { Tensor } from "../../core/types.ts";

/** The mean over what is counted, or the plain sum over each micro-batch. */
export type Reduction = "mean" | "sum";

/** The schema of the option. */
export const reductionSchema: v.OptionalSchema<v.PicklistSchema<["mean", "sum"], undefined>, "mean"> = v.optional(
  v.picklist(["mean", "sum"]),
  "mean",
);

/** The divisor of the sum: the count for "mean", 1 for "sum". */
export function counted(reduction: string, count: (target: Tensor) => number): (target: Tensor) => number {
  return reduction === "sum" ? () => 1 : count;
}

/** The rows of a target: all its axes but the last, which falls away where a row has one value. */
export function rowsOf({ dims }: Tensor): number {
  return (dims.length > 1 ? dims.slice(0, -1) : dims).reduce((a, b) => a * b, 1);
}

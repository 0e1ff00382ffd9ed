/** The divisor of a loss for each reduction. */
import * as v from "valibot";
import { mul, reshape, sum } from "../../core/graph/ops/functions.ts";
import type { Loss, Plugin, Tensor, Value } from "../../core/types.ts";

/** The mean over what is counted, or the plain sum over each micro-batch. */
export type Reduction = "mean" | "sum";

/** Options of elementwise losses. */
export interface ReductionOptions {
  /** The mean over all elements, or their sum. */
  readonly reduction: Reduction;
}

/** Schema of {@link Reduction}. */
export const reductionSchema: v.OptionalSchema<v.PicklistSchema<["mean", "sum"], undefined>, "mean"> = v.optional(
  v.picklist(["mean", "sum"]),
  "mean",
);

/** Returns the function that computes the sum's divisor: the count for "mean", 1 for "sum". */
export function countFor(reduction: string, count: Count): Count {
  return reduction === "sum" ? () => 1 : count;
}

/** An elementwise loss, of an output and a target of the same shape. */
export function elementLoss(
  reduction: Reduction,
  each: (output: Value, target: Value) => Value,
): Omit<Loss, keyof Plugin> {
  return {
    over: "batch",
    weighted: true,
    compares: "elements",
    sum: (_, output, target, weight) => weightedSum(each(output, target), weight),
    count: countFor(reduction, valuesOf),
  };
}

/** Computes the divisor of a sum, from the target and the weights of its rows. */
export type Count = (target: Tensor, weight?: Tensor) => number;

/** Returns the sum over rows, weighted if rows have weights. `each`: [rows, ...]. */
export function weightedSum(each: Value, weight: Value | undefined): Value {
  if (!weight) return sum(each);
  return sum(mul(each, reshape(weight, [weight.shape[0] ?? 1, ...each.shape.slice(1).map(() => 1)])));
}

/**
 * Counts the rows of a target, weighted. Rows are all axes but the last, which is absent if a row has a single value.
 */
export const rowsOf: Count = (target, weight) => {
  const { dims } = target;
  const rows = (dims.length > 1 ? dims.slice(0, -1) : dims).reduce((a, b) => a * b, 1);
  return weight ? rows / (dims[0] ?? 1) * weightOf(weight) : rows;
};

/** Counts the values of a target, weighted by row. */
export const valuesOf: Count = ({ dims, data }, weight) =>
  weight ? data.length / (dims[0] ?? 1) * weightOf(weight) : data.length;

/** Returns the sum of all row weights. */
function weightOf({ data }: Tensor): number {
  let total = 0;
  for (const weight of data) total += Number(weight);
  return total;
}

/**
 * Returns n / (k n_k) for each class, as scikit-learn's "balanced", where k is the number of classes that have rows;
 * classes without rows have weight 1.
 */
export function balancedWeights(counts: readonly number[]): number[] {
  const total = counts.reduce((a, b) => a + b, 0);
  const there = counts.filter((count) => count > 0).length;
  return counts.map((count) => (count > 0 ? total / (there * count) : 1));
}

/** Row weights: the column `weight`, which applies to every loss. */
import { asNumber } from "./class_reader.ts";
import { AttuneError, badValue } from "../base/errors.ts";
import type { Batch, Loss, Row, Sample, Tensor } from "../types.ts";

/** Returns the name of the input with the weights of a target's rows. */
export function weightInput(target: string): string {
  return `${target}.weight`;
}

/** Returns the divisor of a loss's sum over a batch, weighted if its rows have weights. */
export function countIn(batch: Batch, loss: Loss, target: string): number {
  return loss.count(batch.inputs[target] as Tensor, batch.inputs[weightInput(target)]);
}

/** Returns samples with the weight of their row. */
export type RowWeigher = (samples: readonly Sample[], row: Row, index: number) => readonly Sample[];

/**
 * Creates the reader of a data set's row weights. `isWeighted`: whether the first row has a weight, as then all must.
 *
 * @throws AttuneError (the reader) if a weight is not a finite number ≥ 0, or only some rows have one.
 */
export function rowWeigher(isWeighted: boolean): RowWeigher {
  return (samples, row, index) => {
    const isGiven = Object.hasOwn(row, "weight");
    if (!isGiven && !isWeighted) return samples;
    if (isGiven !== isWeighted) throw partlyWeighted(row, index, isGiven);
    const weight = asNumber(row.weight) ?? row.weight;
    if (typeof weight !== "number" || !Number.isFinite(weight) || weight < 0) {
      const allowed = "a finite number of at least 0, the row's weight in the loss";
      throw badValue("data", `row ${index}, column "weight"`, row.weight, allowed);
    }
    return samples.map((sample) => ({ ...sample, weight }));
  };
}

function partlyWeighted({ weight }: Row, index: number, isGiven: boolean): AttuneError {
  const what = isGiven
    ? `row ${index} has a column "weight", but the first row has none`
    : `row ${index} has no column "weight", but the first row has one`;
  return new AttuneError(`${what}: either every row of a data set has a weight, or none has`, {
    code: "UNKNOWN_COLUMN",
    plugin: "data",
    path: "weight",
    found: weight,
    allowed: ["a weight in every row"],
  });
}

/** The file predictions.jsonl: one line per row, written by one evaluation and read by another's comparison. */
import { badFile } from "../base/errors.ts";
import type { RowReadings } from "../loop/rows.ts";
import type { Example, Json, MetricInputs, Named } from "../types.ts";

/** Returns the line of an evaluated row. */
export function predictionLine({ row, reference, prediction, scores }: Example, groups: Named<Json>): string {
  return JSON.stringify({
    row,
    label: reference,
    prediction,
    ...(scores ? { scores } : {}),
    ...(Object.keys(groups).length > 0 ? { groups } : {}),
  });
}

/** A parsed line; `number` is its line number. */
export type Prediction = Readonly<
  { number: number; row: number; label: Json; prediction: Json; scores?: Json; groups?: Named<Json> }
>;

/** Parses a line. Throws AttuneError if it has no row, label and prediction. */
export function parsePrediction(line: string, number: number): Prediction {
  const where = `predictions.jsonl, line ${number}`;
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw badFile("evaluate", where, "is not JSON");
  }
  const { row, label, prediction } = Object(value) as Named<Json>;
  if (typeof row === "number" && label !== undefined && prediction !== undefined) {
    return { ...value as Partial<Prediction>, number, row, label, prediction };
  }
  throw badFile("evaluate", where, "lacks row, label or prediction");
}

/** Converts a prediction to readings of `kind`. `classes`: the task's. Throws AttuneError if it is of another kind. */
export function readPrediction(
  { number, row, label, prediction, scores, groups = {} }: Prediction,
  kind: AnswerKind,
  classes: readonly string[],
): RowReadings {
  const id = (name: Json): number => (typeof name === "string" ? classes.indexOf(name) : Number(name));
  const reading = readers[kind](label, prediction, id);
  if (!reading) {
    throw badFile("evaluate", `predictions.jsonl, line ${number}`, `has no answer of this task (${kind})`);
  }
  const readings = { [kind]: [{ ...reading, ...(scores === undefined ? {} : { scores }) }] } as RowReadings["readings"];
  return { rows: [row], readings, columns: [groups] };
}

/** The kinds of readings that a line can have. */
export type AnswerKind = Exclude<keyof MetricInputs, "loss">;

const readers: Readonly<
  Record<AnswerKind, (label: Json, prediction: Json, id: (name: Json) => number) => object | undefined>
> = {
  label: (reference, prediction, id) => {
    const [a, b] = [id(reference), id(prediction)];
    return a >= 0 && b >= 0 ? { reference: a, prediction: b } : undefined;
  },
  labels: (reference, prediction, id) =>
    Array.isArray(reference) && Array.isArray(prediction)
      ? { reference: reference.map(id), prediction: prediction.map(id) }
      : undefined,
  number: (reference, prediction) =>
    typeof reference === "number" && typeof prediction === "number" ? { reference, prediction } : undefined,
  tags: (reference, prediction) =>
    Array.isArray(reference) && Array.isArray(prediction)
      ? { reference: reference.map(String), prediction: prediction.map(String) }
      : undefined,
  text: (reference, prediction) =>
    typeof prediction === "string"
      ? { references: (Array.isArray(reference) ? reference : [reference]).map(String), prediction }
      : undefined,
};

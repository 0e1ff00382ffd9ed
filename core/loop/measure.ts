/** Several metrics accumulated over readings of rows. */
import { figuresOf } from "../statistics/by_chance.ts";
import { AttuneError, badValue, unsupported } from "../base/errors.ts";
import type { Json, Metric, MetricInputs, Named } from "../types.ts";
import { areOfRows, type RowReadings } from "./rows.ts";

/** Numbers, and figures that are more than a number, by the same keys. */
export type Measured = Readonly<{ metrics: Named<number>; figures: Named<Json> }>;

/** Accumulates readings. */
export type Measurement = Readonly<{
  /** Adds readings. Throws AttuneError if a metric cannot read them, or a row lacks a column that a metric needs. */
  add(read: RowReadings): void;
  measured(): Measured;
}>;

/** Creates a measurement of metrics. `classes`: the names of the task's classes. */
export function measureRows(metrics: readonly Metric[], classes: readonly string[] | undefined): Measurement {
  const states = metrics.map((metric) => metric.init());
  return {
    add: (read) =>
      metrics.forEach((metric, i) => {
        examplesFor(metric, read, classes).forEach((example, at) => {
          try {
            states[i] = metric.update(states[i], example);
          } catch (error) {
            throw areOfRows(read, kindOf(metric, read)) ? inRow(error, read.rows[at] ?? 0, metric.name) : error;
          }
        });
      }),
    measured: () => measuredIn(metrics, states),
  };
}

/** Returns an error of a metric with the row in front of its message. */
export function inRow(error: unknown, row: number, metric: string): unknown {
  if (!(error instanceof AttuneError)) return error;
  const sentence = error.message.replace(/^\[attune\] (\[[\w.-]+\] )?(a row: )?/, "");
  const { code, path, found, allowed, cause } = error;
  return new AttuneError(`row ${row}: ${sentence}`, { code, plugin: metric, path, found, allowed, cause });
}

/** Returns the kind of readings that a metric uses. Throws AttuneError if the task has none that it reads. */
function kindOf(metric: Metric, { readings }: RowReadings): keyof MetricInputs {
  const kind = metric.reads.find((one) => readings[one] !== undefined);
  if (kind) return kind;
  throw badValue(metric.name, "metrics", Object.keys(readings), `readings of kind ${metric.reads.join(" or ")}`);
}

/** Returns the readings that a metric uses, with the columns of their rows that it needs. */
export function examplesFor(
  metric: Metric,
  read: RowReadings,
  classes: readonly string[] | undefined,
): readonly MetricInputs[keyof MetricInputs][] {
  const { readings, columns } = read;
  const kind = kindOf(metric, read);
  const examples = readings[kind] as readonly MetricInputs[keyof MetricInputs][];
  if (!metric.columns || metric.columns.length === 0) return examples;
  const places = areOfRows(read, kind) ? undefined : read.places?.[kind];
  if (!places && !areOfRows(read, kind)) {
    throw unsupported(
      metric.name,
      "metrics",
      metric.columns,
      "the task is evaluated per token, not per row, so there are no columns to read",
    );
  }
  return examples.map((example, i) => ({
    ...example,
    columns: columns?.[places?.[i] ?? i] ?? {},
    ...(classes ? { classes } : {}),
  }));
}

/** Computes metrics and figures from states. */
function measuredIn(metrics: readonly Metric[], states: readonly unknown[]): Measured {
  const averages: Record<string, number> = {};
  const figures: Record<string, Json> = {};
  metrics.forEach((metric, i) => {
    metric.check?.(states[i]);
    for (const [name, value] of Object.entries(metric.compute(states[i]))) if (value !== null) averages[name] = value;
    Object.assign(figures, figuresOf(metric, states[i]));
  });
  return { metrics: averages, figures };
}

/** Statistics of metrics over evaluated rows. */
import { flatMetric } from "../statistics/figures.ts";
import { collectMetric, type MetricStatistics } from "../statistics/metric_statistics.ts";
import { examplesFor } from "../loop/measure.ts";
import { areOfRows, type RowReadings } from "../loop/rows.ts";
import type { Metric, MetricInputs } from "../types.ts";

/** Collects the statistics of some metrics. */
export type StatisticsCollector = Readonly<{
  /** Adds readings. `clusters`: the name of each row's cluster. */
  add(read: RowReadings, clusters?: readonly string[]): void;
  end(): readonly MetricStatistics[];
}>;

/** Creates a collector. `classes`: the names of the task's classes. */
export function collectStatistics(
  metrics: readonly Metric[],
  classes: readonly string[] | undefined,
): StatisticsCollector {
  const all = metrics.map((metric) => ({ metric, units: collectMetric(flatMetric(metric)) }));
  return {
    add: (read, clusters) => {
      for (const { metric, units } of all) {
        const kind = metric.reads.find((one) => read.readings[one] !== undefined);
        if (!kind) continue;
        for (const [row, at, examples] of examplesByRow(read, kind, examplesFor(metric, read, classes))) {
          units.add(clusters?.[at] ?? row, row, examples);
        }
      }
    },
    end: () => all.map(({ units }) => units.end()),
  };
}

type Examples = readonly MetricInputs[keyof MetricInputs][];

/** Groups examples by row; a row has several examples if readings of this kind are per position. */
export function examplesByRow(
  read: RowReadings,
  kind: keyof MetricInputs,
  examples: Examples,
): Iterable<readonly [row: number, at: number, examples: Examples]> {
  const rowAt = (at: number): number => read.rows[at] ?? -1;
  if (areOfRows(read, kind)) return examples.map((example, at) => [rowAt(at), at, [example]] as const);
  const together = new Map<number, MetricInputs[keyof MetricInputs][]>();
  examples.forEach((example, i) => {
    const at = read.places?.[kind]?.[i] ?? -1;
    const sum = together.get(at);
    if (sum) sum.push(example);
    else together.set(at, [example]);
  });
  return [...together].map(([at, values]) => [rowAt(at), at, values] as const);
}

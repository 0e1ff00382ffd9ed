/**
 * What resampling needs of each evaluated row: of metrics that are means one number, of others their state of the row, each
 * distinct one once.
 * @module
 */
import { flatMetric, sharesOf } from "../statistics/figures.ts";
import { collectStates, STATES } from "../statistics/unit_states.ts";
import { examplesFor } from "../loop/measure.ts";
import { areOfRows, type RowReadings } from "../loop/rows.ts";
import type { Metric, Named } from "../types.ts";

/** One metric's numbers over rows. */
export type MetricStatistics = Readonly<{
  metric: Metric;
  /** The row of each unit; -1 where a unit is no row. */
  rows: Int32Array;
  /** Its values over all rows, also those within figures, by path. */
  values: Named<number | null>;
  /** Of values that are means each unit's number, NaN where it has none. */
  means: Named<Float64Array>;
  /** Of values that are shares of some rows: how many have it, and of how many. */
  shares: Named<readonly [right: number, of: number]>;
  /** Values where each unit is there so many times; `clustered`: some are there together. */
  compute(counts: ArrayLike<number>, clustered?: boolean): Named<number | null>;
}>;

/** Collects the statistics of some metrics. */
export type StatisticsCollector = Readonly<{ add(read: RowReadings): void; end(): readonly MetricStatistics[] }>;

/** A collector. `classes`: the names of the task's classes. */
export function collectStatistics(
  metrics: readonly Metric[],
  classes: readonly string[] | undefined,
): StatisticsCollector {
  const all = metrics.map((metric) => collectOne(flatMetric(metric), classes));
  return { add: (read) => all.forEach((one) => one.add(read)), end: () => all.map((one) => one.end()) };
}

function collectOne(
  metric: Metric,
  classes: readonly string[] | undefined,
): Readonly<{ add(read: RowReadings): void; end(): MetricStatistics }> {
  const rows: number[] = [];
  const numbers: Record<string, number[]> = {};
  let states: ReturnType<typeof collectStates> | undefined = collectStates(metric);
  let total = metric.init();
  const means = (): string[] =>
    Object.entries(metric.compute(total)).flatMap(([key, value]) => {
      const own = numbers[key];
      // What is said of several groups at once is no mean, though it may look like one: that of a group some rows lack.
      const several = metric.figures !== undefined && !(own?.some(Number.isNaN) || (own?.length ?? 0) < rows.length);
      return isMean(own, value) && !several ? [key] : [];
    });
  const addUnit = (row: number, state: unknown): void => {
    const unit = rows.push(row) - 1;
    for (const [key, value] of Object.entries(metric.compute(state))) {
      const own = numbers[key] ??= [];
      while (own.length < unit) own.push(NaN);
      own.push(value ?? NaN);
    }
    states?.add(state);
    if (states && unit + 1 === STATES && states.size * 2 > STATES) {
      // As many states as rows, of what seems to be a mean, would be kept for nothing.
      const keys = Object.keys(metric.compute(total));
      if (keys.length > 0 && means().length === keys.length) states = undefined;
    }
  };
  return {
    add: (read) => {
      const kind = metric.reads.find((one) => read.readings[one] !== undefined);
      if (!kind) return;
      const examples = examplesFor(metric, read, classes);
      for (const example of examples) total = metric.update(total, example);
      const updated = examples.map((example) => metric.update(metric.init(), example));
      if (areOfRows(read, kind)) return updated.forEach((state, i) => addUnit(read.rows[i] ?? -1, state));
      // Places of one row stay together.
      const places = read.places?.[kind];
      const of = (i: number): number => read.rows[places?.[i] ?? -1] ?? -1;
      const together = new Map<number, unknown>();
      updated.forEach((state, i) => {
        const row = of(i);
        together.set(row, together.has(row) ? metric.merge(together.get(row), state) : state);
      });
      for (const [row, state] of together) addUnit(row, state);
    },
    end: () => {
      const values = metric.compute(total);
      for (const own of Object.values(numbers)) while (own.length < rows.length) own.push(NaN);
      const found = Object.fromEntries(means().map((key) => [key, Float64Array.from(numbers[key] ?? [])]));
      const others = Object.keys(values).some((key) => !Object.hasOwn(found, key)) ? states : undefined;
      return {
        metric,
        rows: Int32Array.from(rows),
        values,
        means: found,
        shares: sharesOf(metric, total),
        compute: (counts, clustered = false) => ({
          ...others?.compute(counts, values, clustered),
          ...Object.fromEntries(Object.entries(found).map(([key, own]) => [key, weightedMean(own, counts)])),
        }),
      };
    },
  };
}

/** Whether a value is the mean of units' numbers, those that have one. */
function isMean(numbers: readonly number[] | undefined, value: number | null): boolean {
  if (!numbers || value === null) return false;
  let [sum, count] = [0, 0];
  for (const x of numbers) if (!Number.isNaN(x)) [sum, count] = [sum + x, count + 1];
  return count > 0 && Math.abs(sum / count - value) <= 1e-9 * Math.max(1, Math.abs(value));
}

function weightedMean(numbers: Float64Array, counts: ArrayLike<number>): number | null {
  let [sum, count] = [0, 0];
  for (let i = 0; i < numbers.length; i++) {
    const x = numbers[i] ?? NaN;
    const n = counts[i] ?? 0;
    if (n > 0 && !Number.isNaN(x)) [sum, count] = [sum + n * x, count + n];
  }
  return count > 0 ? sum / count : null;
}

/** A detailed evaluation: metrics with intervals, by group, by slice, and optionally every row's answer. */
import type { Evaluator } from "../engine/evaluator.ts";
import { badValue, missing, unknownName } from "../base/errors.ts";
import { withIntervals } from "../statistics/figures.ts";
import type { RowsSeen } from "../loop/evaluate.ts";
import { areOfRows, type RowReadings } from "../loop/rows.ts";
import { refuseNewParts } from "../run/open/new_parts.ts";
import { labelledRows } from "../run/rows/labelled_rows.ts";
import { measureOpened } from "../run/evaluate/evaluate.ts";
import { collectExamples, textLengths } from "../run/evaluate/examples.ts";
import { openEvaluator } from "../run/evaluate/infer.ts";
import type { EncodedRows } from "../run/rows/encoded_rows.ts";
import { generatesUnmeasured } from "../run/evaluate/metrics.ts";
import { tryMetrics } from "../run/evaluate/tried_metrics.ts";
import type { OpenRun } from "../run/open/open.ts";
import { checkColumns, columnsRead, pickColumns } from "../run/rows/row_columns.ts";
import type { MetricStatistics } from "../statistics/metric_statistics.ts";
import { intervalsOf, type ResamplingOptions, usualResampling, type ValueInterval } from "../statistics/resampled.ts";
import type { Dataset, Example, Json, Metric, Named, Row } from "../types.ts";
import type { AnswerKind } from "./predictions.ts";
import { isLoss, rowLoss } from "./row_loss.ts";
import { collectStatistics, type StatisticsCollector } from "./row_statistics.ts";
import { collectRowScores, scoresFor } from "./row_scores.ts";
import { createRowTable } from "./row_table.ts";
import { type WorstSlices, worstSlices } from "./slices.ts";

/** Options of an evaluation, for results beyond metrics. */
export type EvaluationOptions = Readonly<{
  /** Whether to evaluate a new, untrained head. */
  untrained?: boolean | undefined;
  /** Number of resamples for intervals; absent: no intervals. */
  intervals?: number | undefined;
  /** Confidence level of intervals; 0.95 by default. */
  confidence?: number | undefined;
  /** Seed of resampling: with the same seed, the same rows give the same intervals. */
  seed?: number | undefined;
  /** Columns by whose values every metric is also measured. */
  by?: readonly string[] | undefined;
  /** Column that is equal in rows that belong together (clusters). */
  cluster?: string | undefined;
  /** Whether to search the slices of rows with the worst scores. */
  slices?: boolean | undefined;
  /** Whether to keep each metric's statistics, for comparisons. */
  statistics?: boolean | undefined;
  /** Returns another model's saved answer to a row, if there is one. */
  otherAnswer?: ((example: Example, kind: AnswerKind) => Promise<RowReadings | undefined>) | undefined;
  /** Further columns to pass to `answered`. */
  columns?: readonly string[] | undefined;
  /** Whether a task that generates answers its rows with text even if no metric reads it. */
  generates?: boolean | undefined;
  /** Called with each row's answer and its columns. */
  answered?: ((example: Example, groups: Named<Json>) => void) | undefined;
}>;

/** The result of an evaluation. */
export type Evaluation = Readonly<{
  metrics: Named<number>;
  /** Content of metrics.json: numbers and figures by group, with `<key>_interval` if intervals were requested. */
  figures: Named<Json>;
  /** Number of evaluated rows. */
  rows: number;
  statistics: readonly MetricStatistics[];
  /** The same metrics' statistics over another model's answers, if every row has one. */
  otherStatistics: readonly MetricStatistics[] | undefined;
  /** Kind of the rows' answers; absent if readings are per position. */
  kind: AnswerKind | undefined;
  slices: WorstSlices | undefined;
  /** Intervals by path; empty unless requested. */
  intervals: Named<ValueInterval>;
  /** Keys with a rough interval, such as from fewer than five right or wrong rows. */
  rough: readonly string[];
}>;

/** Returns the resampling of an evaluation. */
export function resamplingOf({ intervals, confidence = 0.95, seed }: EvaluationOptions): ResamplingOptions {
  const usual = usualResampling(seed);
  return { ...usual, samples: intervals ?? usual.samples, confidence };
}

/**
 * Evaluates an opened run over a dataset, row by row, and closes the evaluator. Keeps a few numbers per row at most.
 *
 * @throws AttuneError if the run's head is new and `untrained` is not set, or if rows lack a requested column.
 */
export async function evaluateRows(
  run: OpenRun,
  dataset: Dataset,
  options: EvaluationOptions = {},
  evaluator: Evaluator = openEvaluator(run),
): Promise<Evaluation> {
  if (!options.untrained) refuseNewParts(run);
  const open = withGroups(run, options.by ?? []);
  tryMetrics(open);
  let opened: EncodedRows | undefined;
  try {
    const rows = opened = await labelledRows(open, dataset);
    await checkColumns(open, rows, "the evaluated rows");
    const keeper = keepRows(open, rows, options);
    const { metrics, figures } = await measureOpened(open, evaluator, rows, keeper.rowsSeen);
    const keptStatistics = keeper.end();
    if (options.generates && generatesUnmeasured(open)) await answerAll(open, evaluator, rows, keeper.rowsSeen);
    const statistics = keptStatistics.statistics.filter(({ metric, values }) =>
      metric !== rowLoss || isLoss(values.loss, metrics.loss)
    );
    const { intervals, rough } = options.intervals === undefined
      ? { intervals: {}, rough: [] }
      : allIntervals(statistics, resamplingOf(options));
    return {
      ...keptStatistics,
      metrics,
      figures: withIntervals({ ...metrics, ...figures }, intervals),
      rows: rows.rowCount,
      statistics,
      intervals,
      rough,
    };
  } finally {
    await opened?.close?.();
    await evaluator.close();
  }
}

/** Collects from rows, as they are read, what the options need. */
function keepRows(
  open: OpenRun,
  rows: EncodedRows,
  options: EvaluationOptions,
): Readonly<{ rowsSeen: RowsSeen; end(): Pick<Evaluation, "statistics" | "otherStatistics" | "kind" | "slices"> }> {
  const { cluster, otherAnswer, slices } = options;
  const collect = (isWanted: unknown, metrics: readonly Metric[]): StatisticsCollector =>
    collectStatistics(isWanted ? metrics : [], open.task.labels);
  const all = [...open.metrics, rowLoss];
  const collector = collect(options.intervals !== undefined || options.statistics, all);
  const others = collect(otherAnswer, all);
  // Slices consist of single rows, even if rows form clusters.
  const sliced = collect(slices, open.metrics.filter(({ columns }) => !columns));
  const scored = collectRowScores();
  const table = createRowTable();
  const columnNames = [...new Set([...columnsRead(open), ...options.columns ?? []])];
  const readsRows = slices || otherAnswer || cluster !== undefined || options.answered;
  let kind: AnswerKind | undefined;
  let [paired, ended] = [0, false];
  return {
    rowsSeen: async (read) => {
      const inputKind = kindOf(read);
      kind = inputKind ?? kind;
      sliced.add(read);
      if (slices) scored.add(read);
      if (!readsRows) return collector.add(read);
      const numbers = Array.from(read.rows);
      const encodedRows = await rows.rows(numbers);
      const clusters = cluster === undefined
        ? undefined
        : numbers.map((row, i) => clusterOf(encodedRows[i] ?? {}, cluster, row));
      collector.add(read, clusters);
      const examples: Example[] = [];
      await collectExamples(examples, open, rows, read);
      if (slices) {
        numbers.forEach((row, i) => {
          const own = encodedRows[i] ?? {};
          table.add(row, own, { ...textLengths(open, own), ...lengthOf(examples[i]) });
        });
      }
      for (const [i, example] of examples.entries()) {
        const columns = pickColumns(encodedRows[i] ?? {}, columnNames);
        options.answered?.(example, columns);
        const other = inputKind && !ended && await otherAnswer?.(example, inputKind);
        if (!other) continue;
        paired++;
        // Both answers belong to this row, so its own columns replace those saved with the other answer.
        others.add({ ...other, columns: [columns] }, clusters?.slice(i, i + 1));
      }
    },
    end: () => {
      ended = true;
      return {
        statistics: collector.end(),
        otherStatistics: paired > 0 && paired === rows.rowCount ? others.end() : undefined,
        kind,
        slices: slices ? worstSlices(scoresFor(sliced.end(), scored), table) : undefined,
      };
    },
  };
}

/** Returns the length of a row's prompt, which may be longer than the row's own text. */
function lengthOf(example: Example | undefined): Named<number> {
  return example && example.text !== "" ? { length: example.text.length } : {};
}

/** Returns the name of a row's cluster. Throws AttuneError if the row has none. */
function clusterOf(values: Row, cluster: string, row: number): string {
  if (!Object.hasOwn(values, cluster)) {
    throw unknownName("evaluate", `column (row ${row})`, "column", cluster, Object.keys(values));
  }
  const value = values[cluster];
  if (value !== undefined && value !== null) return String(value);
  throw missing("evaluate", `a value of the column "${cluster}"`, `row ${row}`);
}

/** Generates text for every row and passes it to `rowsSeen`. */
async function answerAll(open: OpenRun, evaluator: Evaluator, rows: EncodedRows, rowsSeen: RowsSeen): Promise<void> {
  const generator = await evaluator.generator();
  try {
    const { textMetrics } = await import("../run/evaluate/generate.ts");
    await textMetrics(open, generator, rows, [], rowsSeen);
  } finally {
    await generator.close();
  }
}

const KINDS: readonly AnswerKind[] = ["text", "tags", "labels", "number", "label"];

function kindOf(read: RowReadings): AnswerKind | undefined {
  return KINDS.find((kind) => read.rows.length > 0 && areOfRows(read, kind));
}

function allIntervals(
  statistics: readonly MetricStatistics[],
  options: ResamplingOptions,
): Readonly<{ intervals: Named<ValueInterval>; rough: readonly string[] }> {
  const intervals: Named<ValueInterval> = Object.assign(
    {},
    ...statistics.map((metric) => intervalsOf(metric, options)),
  );
  return { intervals, rough: Object.keys(intervals).filter((key) => intervals[key]?.rough) };
}

/** Returns the run with each of its metrics also measured by the values of columns. */
function withGroups(open: OpenRun, by: readonly string[]): OpenRun {
  if (by.length === 0) return open;
  const plain = open.metrics.filter((metric) => !metric.columns);
  const grouped = by.flatMap((column) =>
    plain.map((metric): Metric => open.run.use("metric", { use: "by-group", with: { metric, column } }))
  );
  if (plain.length > 0) return { ...open, metrics: [...open.metrics, ...grouped] };
  throw badValue("evaluate", "--by", by, "metrics of the run that can be measured by group");
}

/** An evaluation that can be believed: figures with intervals, by group, with every row's answer for those who ask. */
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

/** What is wanted besides metrics. */
export type EvaluationOptions = Readonly<{
  /** A head that is new is taken as it is. */
  untrained?: boolean | undefined;
  /** Resamples of intervals; absent: no intervals. */
  intervals?: number | undefined;
  /** The share of resamples within them; 0.95 unless given. */
  confidence?: number | undefined;
  /** The seed of their draws: the same rows give the same intervals. */
  seed?: number | undefined;
  /** Columns whose values every metric is measured by. */
  by?: readonly string[] | undefined;
  /** The column whose values say which rows belong together. */
  cluster?: string | undefined;
  /** Searches the slices where it is worst. */
  slices?: boolean | undefined;
  /** Keeps each metric's statistics, for comparisons. */
  statistics?: boolean | undefined;
  /** Another model's answer to a row as it was written, where there is one. */
  otherAnswer?: ((example: Example, kind: AnswerKind) => Promise<RowReadings | undefined>) | undefined;
  /** Further columns that are told with answers. */
  columns?: readonly string[] | undefined;
  /** Rows of a task that generates are answered with text though no metric reads it. */
  generates?: boolean | undefined;
  /** Is told each row's answer, with the columns that are measured by. */
  answered?: ((example: Example, groups: Named<Json>) => void) | undefined;
}>;

/** What an evaluation gives. */
export type Evaluation = Readonly<{
  metrics: Named<number>;
  /** As metrics.json has them: numbers and figures by group, with `<key>_interval` beside where they were asked for. */
  figures: Named<Json>;
  /** Rows that were answered. */
  rows: number;
  statistics: readonly MetricStatistics[];
  /** The same metrics' of another model's answers, where there are such of every row. */
  otherStatistics: readonly MetricStatistics[] | undefined;
  /** How rows were answered; absent where readings are of places. */
  kind: AnswerKind | undefined;
  slices: WorstSlices | undefined;
  /** Intervals by path, where they were asked for. */
  intervals: Named<ValueInterval>;
  /** Keys whose interval is rough: fewer than five rows are right, or wrong. */
  rough: readonly string[];
}>;

/** The resampling of an evaluation. */
export function resamplingOf({ intervals, confidence = 0.95, seed }: EvaluationOptions): ResamplingOptions {
  const usual = usualResampling(seed);
  return { ...usual, samples: intervals ?? usual.samples, confidence };
}

/**
 * Evaluates an opened run over a dataset, row by row: what is kept of a row is a few numbers, and only if options ask.
 * The evaluator is closed behind it.
 *
 * @throws AttuneError if the run's head is new, or rows lack a column that is asked for.
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

/** Keeps of rows what options ask for, as they are read. */
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
  // Slices are of rows, whatever belongs together.
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
        // They are of the same row, whatever columns were written beside them.
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

/** What a row was asked may be more than stands in it. */
function lengthOf(example: Example | undefined): Named<number> {
  return example && example.text !== "" ? { length: example.text.length } : {};
}

/** The name of the rows that belong together with one. */
function clusterOf(values: Row, cluster: string, row: number): string {
  if (!Object.hasOwn(values, cluster)) {
    throw unknownName("evaluate", `column (row ${row})`, "column", cluster, Object.keys(values));
  }
  const value = values[cluster];
  if (value !== undefined && value !== null) return String(value);
  throw missing("evaluate", `a value of the column "${cluster}"`, `row ${row}`);
}

/** Tells what is generated for every row. */
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

/** The run with each of its metrics also by the values of columns. */
function withGroups(open: OpenRun, by: readonly string[]): OpenRun {
  if (by.length === 0) return open;
  const plain = open.metrics.filter((metric) => !metric.columns);
  const grouped = by.flatMap((column) =>
    plain.map((metric): Metric => open.run.use("metric", { use: "by-group", with: { metric, column } }))
  );
  if (plain.length > 0) return { ...open, metrics: [...open.metrics, ...grouped] };
  throw badValue("evaluate", "--by", by, "metrics of the run that can be measured by group");
}

/**
 * An evaluation that can be believed: figures with intervals, by group, with every row's answer for those who ask.
 * @module
 */
import type { Evaluator } from "../engine/evaluator.ts";
import { badValue } from "../base/errors.ts";
import { withIntervals } from "../statistics/figures.ts";
import type { RowsSeen } from "../loop/evaluate.ts";
import { areOfRows, type RowReadings } from "../loop/rows.ts";
import { createRandom } from "../math/random.ts";
import { refuseNewParts } from "../run/open/new_parts.ts";
import { labelledRows } from "../run/rows/data.ts";
import { measured } from "../run/evaluate/evaluate.ts";
import { collectExamples } from "../run/evaluate/examples.ts";
import { openEvaluator } from "../run/evaluate/infer.ts";
import type { EncodedRows } from "../run/rows/encoded_rows.ts";
import { generatesUnmeasured } from "../run/evaluate/metrics.ts";
import type { OpenRun } from "../run/open/open.ts";
import { checkColumns, columnsRead, pickColumns } from "../run/rows/row_columns.ts";
import type { Dataset, Example, Json, Metric, Named } from "../types.ts";
import { intervalsOf, type ResamplingOptions, type ValueInterval } from "./resampled.ts";
import { collectStatistics, type MetricStatistics } from "./row_statistics.ts";
import type { AnswerKind } from "./predictions.ts";
import { isLoss, rowLoss } from "./row_loss.ts";
import { createRowTable, type RowTable } from "./row_table.ts";

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
  /** Keeps each row's columns, for slices. */
  slices?: boolean | undefined;
  /** Keeps each metric's numbers of rows, for comparisons. */
  statistics?: boolean | undefined;
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
  /** The metrics of these, those by group too. */
  measured: readonly Metric[];
  /** How rows were answered; absent where readings are of places. */
  kind: AnswerKind | undefined;
  table: RowTable;
  /** Intervals by path, where they were asked for. */
  intervals: Named<ValueInterval>;
  /** Keys whose interval is rough: fewer than five rows are right, or wrong. */
  rough: readonly string[];
}>;

/** The resampling of an evaluation. */
export function resamplingOf(table: RowTable, options: EvaluationOptions): ResamplingOptions {
  const { intervals = 2000, confidence = 0.95, seed = 42, cluster } = options;
  const clusterOf = cluster === undefined ? undefined : (row: number): string => table.clusterOf(row);
  return { samples: intervals, confidence, random: createRandom(seed).fork("evaluation"), clusterOf };
}

/**
 * Evaluates an opened run over a dataset, row by row: what is kept of a row is a few numbers, and only where options ask.
 * The evaluator is closed behind it.
 *
 * @throws AttuneError where the run's head is new, or rows lack a column that is asked for.
 */
export async function evaluateRows(
  given: OpenRun,
  dataset: Dataset,
  options: EvaluationOptions = {},
  evaluator: Evaluator = openEvaluator(given),
): Promise<Evaluation> {
  if (!options.untrained) refuseNewParts(given);
  const open = withGroups(given, options.by ?? []);
  const keepsNumbers = options.intervals !== undefined || options.statistics === true || options.slices === true;
  const collector = collectStatistics(keepsNumbers ? [...open.metrics, rowLoss] : [], open.task.labels);
  const table = createRowTable(options);
  const grouped = [...new Set([...columnsRead(open), ...options.columns ?? []])];
  let kind: AnswerKind | undefined;
  try {
    const rows = await labelledRows(open, dataset);
    await checkColumns(open, rows, "the evaluated rows");
    const seen = async (read: RowReadings): Promise<void> => {
      collector.add(read);
      kind = kindOf(read) ?? kind;
      if (!table.keeps && !options.answered) return;
      const numbers = Array.from(read.rows);
      const own = await rows.rows(numbers);
      const examples: Example[] = [];
      await collectExamples(examples, open, rows, read);
      numbers.forEach((row, i) => table.add(row, own[i] ?? {}, examples[i]));
      examples.forEach((example, i) => options.answered?.(example, pickColumns(own[i] ?? {}, grouped)));
    };
    const { metrics, figures } = await measured(open, evaluator, rows, seen);
    const measuredKind = kind;
    if (options.generates && generatesUnmeasured(open)) await answerAll(open, evaluator, rows, seen);
    const statistics = collector.end().filter((own) => own.metric !== rowLoss || isLoss(own.values.loss, metrics.loss));
    const { found, rough } = options.intervals === undefined
      ? { found: {}, rough: [] }
      : allIntervals(statistics, resamplingOf(table, options));
    return {
      metrics,
      figures: withIntervals({ ...metrics, ...figures }, found),
      rows: rows.rowCount,
      statistics,
      measured: statistics.map(({ metric }) => metric),
      kind: measuredKind,
      table,
      intervals: found,
      rough,
    };
  } finally {
    await evaluator.close();
  }
}

/** Tells what is generated for every row. */
async function answerAll(open: OpenRun, evaluator: Evaluator, rows: EncodedRows, seen: RowsSeen): Promise<void> {
  const generator = await evaluator.generator();
  try {
    const { textMetrics } = await import("../run/evaluate/generate.ts");
    await textMetrics(open, generator, rows, [], seen);
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
): Readonly<{ found: Named<ValueInterval>; rough: readonly string[] }> {
  const found: Named<ValueInterval> = Object.assign({}, ...statistics.map((own) => intervalsOf(own, options)));
  return { found, rough: Object.keys(found).filter((key) => found[key]?.rough) };
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

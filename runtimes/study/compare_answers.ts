/** Comparison of two runs on the same rows by their saved answers, since their weights may be elsewhere. */
import { resamplingOf } from "../../core/evaluation/evaluate_rows.ts";
import {
  type AnswerKind,
  parsePrediction,
  type Prediction,
  readPrediction,
} from "../../core/evaluation/predictions.ts";
import { isLoss, rowLoss } from "../../core/evaluation/row_loss.ts";
import { collectStatistics } from "../../core/evaluation/row_statistics.ts";
import { metricsOf } from "../../core/run/evaluate/judged.ts";
import { readLabels } from "../../core/run/open/labels.ts";
import { withIntervals } from "../../core/statistics/figures.ts";
import { intervalsOf } from "../../core/statistics/resampled.ts";
import type { Host, Json, Metric, Named, Run, Store, Subtask } from "../../core/types.ts";
import { compareEach, type RunMeasured } from "./compare_runs.ts";
import type { RunsCompared } from "./compared_figures.ts";

/** A run's folder in the store, and its figures. */
export type RunAnswered = Readonly<{ folder: string; metrics: Named<number> }>;

/** Compares two runs by their predictions, task by task. A task without predictions is left out; undefined: all are. */
export async function compareAnswers(
  given: Run,
  store: Store,
  host: Host,
  [best, baseline]: readonly [RunAnswered, RunAnswered],
): Promise<RunsCompared | undefined> {
  const run = given.task.subtasks.some(({ labelsIn }) => labelsIn) ? (await readLabels(given, host)).run : given;
  const compared = await compareEach(run.task.subtasks, async (task) => {
    const [own, other] = [await answersOf(store, best, task), await answersOf(store, baseline, task)];
    const isSame = own?.length === other?.length &&
      own?.every(({ row, label }, i) => row === other?.[i]?.row && same(label, other[i].label));
    if (!own || !other || !isSame) return undefined;
    return [measured(run, task, best, own), measured(run, task, baseline, other)];
  });
  return compared.rows > 0 ? compared : undefined;
}

const same = (a: Json, b: Json): boolean => JSON.stringify(a) === JSON.stringify(b);

async function answersOf(
  store: Store,
  { folder }: RunAnswered,
  { name }: Subtask,
): Promise<readonly Prediction[] | undefined> {
  const file = await store.get(`${folder}/${name === "" ? "" : `${name}-`}predictions.jsonl`);
  return file &&
    new TextDecoder().decode(file.bytes).split("\n").flatMap((line, i) =>
      line === "" ? [] : [parsePrediction(line, i + 1)]
    );
}

/** Computes what an evaluation of the run would have returned. */
function measured(run: Run, task: Subtask, { metrics }: RunAnswered, answers: readonly Prediction[]): RunMeasured {
  const prefix = task.name === "" ? "" : `${task.name}_`;
  const own = Object.fromEntries(
    Object.entries(metrics).filter(([key]) => key.startsWith(prefix)).map((
      [key, value],
    ) => [key.slice(prefix.length), value]),
  );
  const all = metricsOf(run, task);
  const classes = task.labels ?? [];
  const collector = collectStatistics([...all, rowLoss], classes);
  for (const answer of answers) collector.add(readPrediction(answer, kindOf(answer, all, classes), classes));
  const statistics = collector.end().filter(({ metric, values }) =>
    metric !== rowLoss || isLoss(values.loss, own.loss)
  );
  const intervals = Object.assign({}, ...statistics.map((one) => intervalsOf(one, resamplingOf({}))));
  return { rows: answers.length, statistics, figures: withIntervals(own, intervals) };
}

/** Returns the kind of an answer, which saved ones do not contain. */
function kindOf({ label, prediction }: Prediction, metrics: readonly Metric[], classes: readonly string[]): AnswerKind {
  if (Array.isArray(prediction)) return metrics.some(({ reads }) => reads.includes("tags")) ? "tags" : "labels";
  if (typeof prediction === "number") return "number";
  return typeof label === "string" && classes.includes(label) ? "label" : "text";
}

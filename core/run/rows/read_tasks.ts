/** Opens the tasks of a run and reads their rows before training. */
import { cachedJson } from "../../data/cached.ts";
import type { Dataset, Host, Run, RunData, Subtask, TrainingEvent } from "../../types.ts";
import { splitsOf, type TaskRows } from "./task_rows.ts";
import { dataPath } from "../../spec/run_data.ts";
import { trainData } from "./data.ts";
import { labelledRows } from "./labelled_rows.ts";
import { rowsInOrder, withFields } from "./encoded_rows.ts";
import type { Leaks, PassingRows } from "./leaks.ts";
import { type OpenRun, openTasks } from "../open/open.ts";
import { cacheFor } from "../../data/seekable.ts";
import { rowsThrough } from "../../data/rows_through.ts";
import { checkColumns } from "./row_columns.ts";
import { tellingOf } from "./telling.ts";
import { VERSION } from "../../base/version.ts";

/** Opens a run's tasks and reads their rows; yields progress, and warnings about the rows. */
export async function* readTasks(run: Run, host: Host): AsyncGenerator<TrainingEvent, readonly TaskRows[]> {
  const tasks: TaskRows[] = [];
  for (const open of await openTasks(run, host)) {
    if (open.checkpoint.quantization) (await import("../open/quantized_base.ts")).refuseTrainedCodes(open);
    for (const note of open.task.notes ?? []) yield warning("CLASSES", note);
    const rows = yield* readRows(open, host);
    yield* transformsOf(rows);
    yield* warningsOf(rows);
    tasks.push({ ...rows, leaks: yield* leaksOf(rows, host) });
  }
  return tasks;
}

async function* readRows(open: OpenRun, host: Host): AsyncGenerator<TrainingEvent, RowsAsRead> {
  const { data, task, run } = open;
  const read = async function* (name: string, dataset: Dataset, passes: Passes, reading?: unknown) {
    const what = `${dataPath(task)}.${name}`;
    const beside = name === "train";
    return yield* tellingOf(host, (tell) => labelledRows(open, dataset, { reading, tell, what, passes, beside }));
  };
  const rows = withFields(yield* read("train", trainData(open), passesOf(run)), run.regularizers);
  const evalRows = data.eval
    ? yield* read("eval", data.eval, () => (run.training.evalStrategy === "no" ? 1 : 2), rows.reading)
    : undefined;
  const test = data.test ? yield* read("test", data.test, () => 1, rows.reading) : undefined;
  for (const [name, measured] of [["eval", evalRows], ["test", test]] as const) {
    if (measured) await checkColumns(open, measured, `${dataPath(task)}.${name}`);
  }
  const train = task.packing ? await (await import("./pack.ts")).packRows(open, rows) : rows;
  return { open, train, evalRows, test, rows };
}

/** Returns how often a run goes through all of `rows` rows. */
type Passes = (rows: number) => number;

function passesOf({ training }: Run): Passes {
  const { maxSteps, numTrainEpochs, perDeviceTrainBatchSize: size, gradientAccumulationSteps } = training;
  return (rows) => (maxSteps > 0 ? maxSteps * gradientAccumulationSteps * size / rows : numTrainEpochs);
}

/** Finds eval and test rows that are also training rows. Throws AttuneError (`REFUSED`) if there are too many. */
async function* leaksOf(
  { open, rows, evalRows, test }: RowsAsRead,
  host: Host,
): AsyncGenerator<TrainingEvent, Readonly<Record<string, Leaks>>> {
  const { task, data, run, collator } = open;
  const leaksBySplit: Record<string, Leaks> = {};
  for (const [name, other] of [["eval", evalRows], ["test", test]] as const) {
    const [trained, measured] = [data.train, data[name]];
    if (!other || !trained || !measured) continue;
    const { isSameSource, judgeLeaks, leaksBetween } = await import("./leaks.ts");
    const { columns } = collator;
    const both = { length: rows.rowCount + other.rowCount };
    const known = [VERSION, rows.fingerprint, rows.rowCount, other.fingerprint, other.rowCount, columns ?? null];
    const leaks = await cachedJson(
      cacheFor(both, host),
      "leaks",
      known,
      () => leaksBetween(passing(rows), passing(other), { columns }),
    );
    const event = judgeLeaks(leaks, {
      path: dataPath(task),
      name,
      threshold: leakThreshold(run, task),
      isSameSource: () => isSameSource(trained, measured),
    });
    if (event) yield event;
    leaksBySplit[name] = leaks;
  }
  return leaksBySplit;
}

/** Returns the share of eval and test rows that may be in training, if the spec sets it. */
function leakThreshold({ spec }: Run, { data }: Subtask): number | undefined {
  return (data as RunData | undefined ?? spec.data)?.leakThreshold;
}

/** Returns rows that can be iterated several times. */
function passing(rows: TaskRows["train"]): PassingRows {
  return { [Symbol.asyncIterator]: () => rowsInOrder(rows) };
}

/** `rows`: the training rows before packing. */
type RowsAsRead = TaskRows & Readonly<{ rows: TaskRows["train"] }>;

/** Returns the splits before packing. */
const readSplits = ({ rows: train, evalRows, test }: RowsAsRead) => splitsOf({ train, evalRows, test });

function* warningsOf(rows: RowsAsRead): Generator<TrainingEvent> {
  for (const [name, read] of readSplits(rows)) {
    const { looked: { unlabelled, count }, notes } = read;
    const path = `${dataPath(rows.open.task)}.${name}`;
    for (const note of notes) yield warning("ROWS", `${path}: ${note}`);
    if (unlabelled === 0) continue;
    const message = `${path}: ${unlabelled} of ${count} rows have no labels to learn from (cut at maxLength?)`;
    yield warning("NO_LABELS", message);
  }
}

/** Yields the counts of each transform of a task's rows; the row numbers are only in data.json. */
function* transformsOf(rows: RowsAsRead): Generator<TrainingEvent> {
  for (const [name, { transforms, rowCount }] of readSplits(rows)) {
    if (!transforms) continue;
    const what = `${dataPath(rows.open.task)}.${name}`;
    const counts = transforms.map((report) => ({ ...report, rows: [] }));
    yield { type: "data", step: 0, epoch: 0, what, ...rowsThrough(transforms, rowCount), transforms: counts };
  }
}

function warning(code: string, message: string): TrainingEvent {
  return { type: "warning", step: 0, epoch: 0, code, message };
}

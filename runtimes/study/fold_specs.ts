/**
 * The specs of folds: each trains on all rows except a fold's, which are its test rows. Each task's rows are divided
 * separately.
 */
import { badValue, missing, unsupported } from "../../core/base/errors.ts";
import { dataPath } from "../../core/spec/run_data.ts";
import { spellOut } from "../../core/spec/plain_names.ts";
import { setAt, valueAt } from "../../core/spec/spec_paths.ts";
import type { Dataset, Host, Json, Named, Run, Transform } from "../../core/types.ts";

/** How rows are divided into folds. */
export type Division = Readonly<{
  folds: number;
  repeats: number;
  stratify: string | null;
  group: string | null;
  seed: number;
}>;

/** A reference to a data set, with its transforms. */
type DataPart = Readonly<{ use: string; with?: Named<Json>; transforms?: readonly Json[] }>;

/** Training rows to be divided: a run's, or one of its tasks'. */
export type DividedRows = Readonly<{
  /** The name of the task; "" if the run has just one. */
  task: string;
  /** The path of the task's data in the spec. */
  path: string;
  /** The data set, without its transforms. */
  source: DataPart;
  /** The transforms of the data set, created. */
  transforms: readonly Transform[];
}>;

/** Returns the rows of a run to be divided, task by task. Throws AttuneError if a task has no rows of its own. */
export function dividedRows(spec: Named<Json>, run: Run): readonly DividedRows[] {
  return run.task.subtasks.map(({ name, data }): DividedRows => {
    const path = dataPath({ name });
    const train = valueAt(spec, `${path}.train`);
    if (train === undefined) {
      if (name !== "" && data) {
        throw unsupported("crossvalidate", "task", run.task.name, `its rows must be under ${path}`);
      }
      throw missing("spec", "the data that is divided into folds", `${path}.train`);
    }
    const { transforms: _, ...source } = partOf(train);
    const made = (name === "" ? run.data.train : data?.train) as Dataset | undefined;
    return { task: name, path, source, transforms: made?.transformed?.transforms ?? [] };
  });
}

/**
 * Returns how each task's rows are divided; columns that a task's rows lack are ignored for it.
 *
 * @throws AttuneError if no task has the column.
 */
export async function divisionsOf(
  divided: readonly DividedRows[],
  run: Run,
  division: Division,
  host: Host,
): Promise<Named<Division>> {
  if (divided.length === 1 || (division.stratify === null && division.group === null)) {
    return Object.fromEntries(divided.map(({ task }) => [task, division]));
  }
  const columns = new Map<string, readonly string[]>();
  for (const { task, source } of divided) {
    const opened = await run.use("data", source).open(host);
    for await (const { row } of opened.read()) {
      columns.set(task, Object.keys(row));
      break;
    }
  }
  const divisionColumn = (option: "stratify" | "group", task: string): string | null => {
    const column = division[option];
    if (column === null || columns.get(task)?.includes(column)) return column;
    const all = [...new Set([...columns.values()].flat())];
    if (all.includes(column)) return null;
    throw badValue("crossvalidate", `--${option}`, column, `a column of a task's rows: ${all.join(", ")}`);
  };
  return Object.fromEntries(
    divided.map(({ task }) => [
      task,
      { ...division, stratify: divisionColumn("stratify", task), group: divisionColumn("group", task) },
    ]),
  );
}

function partOf(value: Json): DataPart {
  return typeof value === "string" ? spellOut("data", value) : value as unknown as DataPart;
}

/** A fold: its number among all, its index within its division, and the division's index. */
export type Fold = Readonly<{ number: number; fold: number; repeat: number }>;

/** Returns all folds, division by division. */
export function foldsOf({ folds, repeats }: Pick<Division, "folds" | "repeats">): readonly Fold[] {
  return Array.from({ length: folds * repeats }, (_, number) => ({
    number,
    fold: number % folds,
    repeat: Math.floor(number / folds),
  }));
}

/** Everything that the specs of folds are made from. */
export type FoldSpecs = Readonly<{
  spec: Named<Json>;
  name: string;
  divided: readonly DividedRows[];
  divisions: Named<Division>;
}>;

/** Returns the spec of a fold. Transforms that are for training only are not applied to its test rows. */
export function foldSpec({ spec, name, divided, divisions }: FoldSpecs, fold: Fold): Named<Json> {
  const { search: _search, ...rest } = spec as Record<string, Json>;
  const named: Named<Json> = { ...rest, name: `${name}-fold-${fold.number}` };
  return divided.reduce((changed, rows) => {
    const { test: _test, ...options } = valueAt(spec, rows.path) as Record<string, Json>;
    const division = divisions[rows.task] as Division;
    const transforms = foldTransforms(options.train ?? null, rows.transforms);
    const data = {
      ...options,
      train: foldPart(rows.source, division, fold, "train", transforms.training),
      test: foldPart(rows.source, division, fold, "test", transforms.measured),
    };
    return setAt(changed, rows.path, data);
  }, named);
}

/**
 * Returns the transforms of a fold's training rows, and of its test rows. Folds replace the test rows of a split; its
 * evaluation rows are held out of each fold's training rows.
 */
function foldTransforms(
  train: Json,
  known: readonly Transform[],
): Readonly<{ training: readonly Json[]; measured: readonly Json[]; splits: boolean }> {
  const { transforms = [] } = partOf(train);
  const useOf = (transform: Json): string => typeof transform === "string" ? transform : String(partOf(transform).use);
  const all = transforms.map((part) => ({ part, transform: known.find(({ name }) => name === useOf(part)) }));
  return {
    splits: all.some(({ part, transform }) => transform?.makes && splitWithoutTest(part, transform).length > 0),
    training: all.flatMap(({ part, transform }) => transform?.makes ? splitWithoutTest(part, transform) : [part]),
    measured: all.flatMap(({ part, transform }) => (transform?.makes || transform?.trainOnly ? [] : [part])),
  };
}

/** Returns a split that only makes evaluation rows, in their proportion to training rows; none if it makes none. */
function splitWithoutTest(spec: Json, { name, makes = [], options }: Transform): readonly Json[] {
  if (!makes.includes("eval")) return [];
  if (!makes.includes("test")) return [spec];
  const { sizes } = options as Named<Named<number>>;
  if (!sizes) return [];
  const { train = 0, eval: evalRows = 0, test = 0 } = sizes;
  // Absolute sizes refer to all rows, of which a fold has some, so they become shares.
  const whole = train + evalRows + test > 1 + 1e-9 ? train + evalRows : 1 - test;
  return [{ use: name, with: { ...options as Named<Json>, sizes: { train: train / whole, eval: evalRows / whole } } }];
}

function foldPart(
  source: DataPart,
  { folds, stratify, group, seed }: Division,
  { fold, repeat }: Fold,
  part: "train" | "test",
  transforms: readonly Json[],
): Named<Json> {
  return {
    use: "fold",
    with: { source: source as unknown as Json, folds, fold, part, stratify, group, shuffle: true, seed, repeat },
    ...(transforms.length > 0 ? { transforms } : {}),
  };
}

/**
 * Returns a fold's spec without its test rows, evaluated on rows of its training rows: if the spec has no evaluation
 * rows, they are one fold of the training rows. `whole`: the fold's spec.
 */
export function specWithEvaluation(whole: Named<Json>, { divided, divisions }: FoldSpecs): Named<Json> {
  const first = { number: 0, fold: 0, repeat: 0 };
  return divided.reduce((spec, rows) => {
    const { test: _test, ...options } = valueAt(whole, rows.path) as Record<string, Json>;
    const { train = null } = options;
    const { training, measured, splits } = foldTransforms(train, rows.transforms);
    if (options.eval !== undefined || splits) return setAt(spec, rows.path, options);
    const { transforms: _, ...source } = partOf(train);
    const division = innerDivision(divisions[rows.task] as Division);
    const inner = {
      train: foldPart(source, division, first, "train", training),
      eval: foldPart(source, division, first, "test", measured),
    };
    return setAt(spec, rows.path, { ...options, ...inner });
  }, whole);
}

/** Returns the division of a fold's training rows: they may lack a group, so grouped rows get one fold fewer. */
function innerDivision(division: Division): Division {
  return division.group === null ? division : { ...division, folds: Math.max(2, division.folds - 1) };
}

/** Whether a spec asks for evaluations during training but has no evaluation rows. */
export function lacksEvaluationRows(spec: Named<Json>, divided: readonly DividedRows[]): boolean {
  const { evalStrategy = "no", evalOnStart = false } = (spec.training ?? {}) as Named<Json>;
  if (evalStrategy === "no" && evalOnStart === false) return false;
  return divided.every(({ path, transforms }) =>
    valueAt(spec, `${path}.eval`) === undefined && !transforms.some(({ makes }) => makes?.includes("eval"))
  );
}

/** Returns the spec without evaluations during training. */
export function specWithoutEvaluation(spec: Named<Json>): Named<Json> {
  return { ...spec, training: { ...spec.training as Named<Json>, evalStrategy: "no", evalOnStart: false } };
}

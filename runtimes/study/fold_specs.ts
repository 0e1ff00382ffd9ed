/**
 * The specs of folds: each trains on all rows but a fold's, which are its test rows.
 * @module
 */
import { missing, unsupported } from "../../core/errors.ts";
import { spellOut } from "../../core/plain_names.ts";
import type { Json, Named, Run, Transform } from "../../core/types.ts";

/** How rows are divided. */
export type Division = Readonly<{
  folds: number;
  repeats: number;
  stratify: string | null;
  group: string | null;
  seed: number;
}>;

/** A reference to a data set, with its transforms. */
type DataPart = Readonly<{ use: string; with?: Named<Json>; transforms?: readonly Json[] }>;

/** The data set that is divided, without its transforms. Throws AttuneError where a run has none of its own. */
export function dividedSource(spec: Named<Json>, run: Run): DataPart {
  if (run.task.subtasks.some(({ name }) => name !== "")) {
    throw unsupported("crossvalidate", "task", run.task.name, "each of its tasks has rows of its own to divide");
  }
  const train = (spec.data as Named<Json> | undefined)?.train;
  if (train === undefined) throw missing("spec", "the data that is divided into folds", "data.train");
  const { transforms: _, ...source } = partOf(train);
  return source;
}

function partOf(value: Json): DataPart {
  return typeof value === "string" ? spellOut("data", value) : value as unknown as DataPart;
}

/** One of the divisions' folds. */
export type Fold = Readonly<{ number: number; fold: number; repeat: number }>;

/** All folds, division by division. */
export function foldsOf({ folds, repeats }: Division): readonly Fold[] {
  return Array.from({ length: folds * repeats }, (_, number) => ({
    number,
    fold: number % folds,
    repeat: Math.floor(number / folds),
  }));
}

/** The spec of a fold. Of the transforms those for training alone are left out of its test rows. */
export function foldSpec(spec: Named<Json>, run: Run, division: Division, fold: Fold): Named<Json> {
  const { train, eval: held } = (spec.data ?? {}) as { train: Json; eval?: Json };
  const transforms = foldTransforms(train, run);
  const { search: _search, ...rest } = spec as Record<string, Json>;
  return {
    ...rest,
    name: `${run.name}-fold-${fold.number}`,
    data: {
      train: foldPart(dividedSource(spec, run), division, fold, "train", transforms.training),
      ...(held === undefined ? {} : { eval: held }),
      test: foldPart(dividedSource(spec, run), division, fold, "test", transforms.measured),
    },
  };
}

/**
 * The transforms of rows that train in folds, and of rows that are measured there. Of a split of the rows its test rows are
 * what folds stand for; the rows that it holds out to judge a run by are held out of each fold's training rows.
 */
function foldTransforms(
  train: Json,
  run: Run,
): Readonly<{ training: readonly Json[]; measured: readonly Json[]; splits: boolean }> {
  const { transforms = [] } = partOf(train);
  const useOf = (transform: Json): string => typeof transform === "string" ? transform : String(partOf(transform).use);
  const all = transforms.map((given) => ({
    given,
    made: run.data.train?.transformed?.transforms.find(({ name }) => name === useOf(given)),
  }));
  return {
    splits: all.some(({ given, made }) => made?.makes && splitWithoutTest(given, made).length > 0),
    training: all.flatMap(({ given, made }) => (made?.makes ? splitWithoutTest(given, made) : [given])),
    measured: all.flatMap(({ given, made }) => (made?.makes || made?.trainOnly ? [] : [given])),
  };
}

/** A split that makes the rows alone by which a run is judged, in the proportion to training rows that it had; nothing where it makes none. */
function splitWithoutTest(given: Json, { name, makes = [], options }: Transform): readonly Json[] {
  if (!makes.includes("eval")) return [];
  if (!makes.includes("test")) return [given];
  const { sizes } = options as Named<Named<number>>;
  if (!sizes) return [];
  const { train = 0, eval: held = 0, test = 0 } = sizes;
  // Numbers of rows were of all rows, of which a fold has some.
  const whole = train + held + test > 1 + 1e-9 ? train + held : 1 - test;
  return [{ use: name, with: { ...options as Named<Json>, sizes: { train: train / whole, eval: held / whole } } }];
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
 * The spec of a search within a fold, which sees the fold's training rows alone: where the spec has no rows to judge trials
 * by, these are a fold of them, as measured rows are. `run`: the one whose folds these are.
 */
export function innerSpec(spec: Named<Json>, search: Json, run: Run, division: Division): Named<Json> {
  const { train = null, eval: held } = spec.data as Named<Json>;
  const { training, measured, splits } = foldTransforms(train, run);
  if (held !== undefined) return { ...spec, data: { train, eval: held }, search };
  if (splits) return { ...spec, data: { train }, search };
  const { transforms: _, ...source } = partOf(train);
  const first = { number: 0, fold: 0, repeat: 0 };
  const parts = {
    train: foldPart(source, division, first, "train", training),
    eval: foldPart(source, division, first, "test", measured),
  };
  return { ...spec, data: parts, search };
}

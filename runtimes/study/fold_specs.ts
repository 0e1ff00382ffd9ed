/**
 * The specs of folds: each trains on all rows but a fold's, which are its test rows.
 * @module
 */
import { missing, unsupported } from "../../core/errors.ts";
import { spellOut } from "../../core/plain_names.ts";
import type { Json, Named, Run } from "../../core/types.ts";

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
  const { transforms = [] } = partOf(train);
  const made = run.data.train?.transformed?.transforms ?? [];
  const useOf = (
    transform: Json,
  ): string => (typeof transform === "string" ? transform : String(partOf(transform).use));
  const has = (transform: Json, key: "trainOnly" | "makes"): boolean =>
    made.some((one) => one.name === useOf(transform) && Boolean(one[key]));
  // A split of the rows is what folds stand for.
  const kept = transforms.filter((transform) => !has(transform, "makes"));
  const part = (which: "train" | "test", kept: readonly Json[]): Json => ({
    ...foldPart(dividedSource(spec, run), division, fold, which),
    ...(kept.length > 0 ? { transforms: kept } : {}),
  });
  const { search: _search, ...rest } = spec as Record<string, Json>;
  return {
    ...rest,
    name: `${run.name}-fold-${fold.number}`,
    data: {
      train: part("train", kept),
      ...(held === undefined ? {} : { eval: held }),
      test: part("test", kept.filter((transform) => !has(transform, "trainOnly"))),
    },
  };
}

function foldPart(
  source: DataPart,
  { folds, stratify, group, seed }: Division,
  { fold, repeat }: Fold,
  part: "train" | "test",
): { use: string; with: Named<Json> } {
  return {
    use: "fold",
    with: { source: source as unknown as Json, folds, fold, part, stratify, group, shuffle: true, seed, repeat },
  };
}

/**
 * The spec of a search within a fold, which sees the fold's training rows alone: where the spec has no rows to judge trials
 * by, these are a fold of them.
 */
export function innerSpec(spec: Named<Json>, search: Json, division: Division): Named<Json> {
  const { train, eval: held } = spec.data as Named<Json>;
  if (held !== undefined || train === undefined) return { ...spec, data: { train, eval: held } as Named<Json>, search };
  const { transforms, ...source } = partOf(train);
  const more: Named<Json> = transforms ? { transforms: [...transforms] } : {};
  const part = (which: "train" | "test"): Named<Json> => ({
    ...foldPart(source, division, { number: 0, fold: 0, repeat: 0 }, which),
    ...(which === "train" ? more : {}),
  });
  return { ...spec, data: { train: part("train"), eval: part("test") }, search };
}

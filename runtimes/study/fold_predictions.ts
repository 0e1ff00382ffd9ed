/** Out-of-fold predictions: the answers to each row by a model that never saw it, in one file for all folds. */
import { divideRows } from "../../core/data/folds.ts";
import { missing, show } from "../../core/base/errors.ts";
import { createRandom } from "../../core/math/random.ts";
import type { Dataset, Host, Json, Named, Run, Store } from "../../core/types.ts";
import type { DividedRows, Division, Fold, FoldSpecs } from "./fold_specs.ts";

/** Returns the positions of a fold's rows in a task's data; without a fold, those of all folds. */
export type FoldPlaces = (task: string, fold?: Fold) => Int32Array;

/** Divides the rows as each fold's data set does. `report` receives classes with fewer rows than there are folds. */
export async function placesOf(
  { divided, divisions }: FoldSpecs,
  run: Run,
  host: Host,
  report: (text: string) => void,
): Promise<FoldPlaces> {
  const each = new Map<string, (fold?: Fold) => Int32Array>();
  for (const rows of divided) {
    const division = divisions[rows.task] as Division;
    each.set(rows.task, await placesIn(rows, division, run, host, report));
  }
  return (task, fold) => each.get(task)?.(fold) ?? new Int32Array();
}

async function placesIn(
  { source }: DividedRows,
  { folds, stratify, group, seed }: Division,
  run: Run,
  host: Host,
  report: (text: string) => void,
): Promise<(fold?: Fold) => Int32Array> {
  const opened = await run.use("data", source).open(host);
  const [classes, groups]: [unknown[], unknown[]] = [[], []];
  let rows = 0;
  for await (const { row } of opened.read()) {
    rows++;
    if (stratify !== null) classes.push(row[stratify]);
    if (group !== null) groups.push(row[group]);
  }
  if (stratify !== null) rareClasses(classes, folds, stratify).forEach(report);
  const predictions = new Map<number, Int32Array>();
  const divided = (repeat: number): Int32Array => {
    const known = predictions.get(repeat) ?? divideRows({
      rows,
      folds,
      classes: stratify === null ? undefined : classes,
      groups: group === null ? undefined : groups,
      random: createRandom(seed).fork("folds", repeat),
    });
    predictions.set(repeat, known);
    return known;
  };
  return (one) => {
    const of = divided(one?.repeat ?? 0);
    return Int32Array.from(of.keys()).filter((row) => one === undefined || of[row] === one.fold);
  };
}

/** Returns a warning about classes that some folds lack. */
function rareClasses(classes: readonly unknown[], folds: number, column: string): readonly string[] {
  const counts = new Map<string, number>();
  for (const value of classes) counts.set(show(value), (counts.get(show(value)) ?? 0) + 1);
  const rare = [...counts].filter(([, rows]) => rows < folds);
  if (rare.length === 0) return [];
  const shown = rare.slice(0, MOST_SHOWN).map(([name, rows]) => `${name} (${rows} ${rows === 1 ? "row" : "rows"})`);
  const more = rare.length > shown.length ? ` and ${rare.length - shown.length} others` : "";
  return [
    `Values of ${show(column)} with fewer rows than ${folds} folds, which some folds lack: ${shown.join(", ")}${more}`,
  ];
}

/** Number of values that are listed. */
const MOST_SHOWN = 5;

/** Returns the positions in a data set of the rows that its transforms kept; undefined: it has no transforms. */
export async function keptPlaces(dataset: Dataset, host: Host): Promise<readonly number[] | undefined> {
  const { transformed } = dataset;
  if (!transformed) return undefined;
  const at = new Map<string | undefined, number>();
  for await (const { where } of (await transformed.source.open(host)).read()) at.set(where, at.size);
  const found: number[] = [];
  for await (const { where } of (await dataset.open(host)).read()) found.push(at.get(where) ?? -1);
  return found;
}

/**
 * Writes a task's predictions in the order of the rows within each division, with a line for each answer. Writes
 * nothing if the folds have left none, since the task answers parts of rows. `placesOf`: the rows that transforms have
 * kept.
 */
export async function joinPredictions(
  store: Store,
  folds: readonly Fold[],
  task: string,
  { places, placesOf }: Readonly<
    { places: FoldPlaces; placesOf: (task: string, fold: Fold) => Promise<readonly number[] | undefined> }
  >,
): Promise<void> {
  const name = task === "" ? "predictions.jsonl" : `${task}-predictions.jsonl`;
  const repeated = folds.some(({ repeat }) => repeat > 0);
  const all: { repeat: number; row: number; line: string }[] = [];
  const found = await Promise.all(folds.map(({ number }) => linesOf(store, `fold-${number}/${name}`)));
  const lost = found.findIndex((lines) => !lines);
  if (found.every((lines) => !lines)) return;
  if (lost >= 0) {
    throw missing("crossvalidate", "what the fold's rows were answered", `fold-${folds[lost]?.number}/${name}`);
  }
  for (const [i, fold] of folds.entries()) {
    const lines = found[i] ?? [];
    const whole = places(task, fold);
    const of = (await placesOf(task, fold))?.map((at) => whole[at] ?? null) ?? whole;
    for (const line of lines) {
      const { row: within, ...answer } = JSON.parse(line) as Named<Json>;
      const row = of[Number(within)] ?? null;
      const placed = { row, fold: fold.number, ...(repeated ? { repeat: fold.repeat } : {}), ...answer };
      all.push({ repeat: fold.repeat, row: row ?? Infinity, line: `${JSON.stringify(placed)}\n` });
    }
  }
  all.sort((a, b) => a.repeat - b.repeat || (a.row === b.row ? 0 : a.row - b.row));
  await store.put(name, new TextEncoder().encode(all.map(({ line }) => line).join("")));
}

async function linesOf(store: Store, key: string): Promise<readonly string[] | undefined> {
  const file = await store.get(key);
  return file && new TextDecoder().decode(file.bytes).split("\n").filter((line) => line !== "");
}

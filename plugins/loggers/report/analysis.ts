/** Evaluated rows, analyzed for a report: each row's score, the baseline's, counts by class, the worst rows. */
import type { Example, Json, Named, TrainingEvent } from "../../../core/types.ts";
import { type Breakdown, breakdowns } from "./breakdown.ts";
import { calibrate, type Calibration } from "./calibration.ts";
import { type ClassCounts, classCounts, type Confusion, confusionOf, labelCounts } from "./counts.ts";

/** The event with evaluated rows. */
export type ExamplesEvent = Extract<TrainingEvent, { readonly type: "examples" }>;

/** A row in the table of worst rows. */
export type WorstRow = Readonly<{
  row: number;
  text: string;
  reference: string;
  prediction: string;
  wrong: boolean;
  /** Probability of the prediction, and of the reference. */
  confidence?: number;
  referenceScore?: number;
  loss?: number;
  /** The words, each with its reference tag and its predicted tag. */
  words?: readonly Readonly<{ word: string; reference: string; prediction: string }>[];
}>;

/** The common part of all analyses. `scores`: 1 or 0 for right or wrong; for numbers, the absolute error. */
type Common = Readonly<{
  /** The split of the rows; absent: unknown. */
  split?: "eval" | "test";
  metrics: Named<number>;
  /** Metrics whose value is more than a number. */
  figures: Named<Json>;
  /** Tables of parts of the rows. */
  tables: readonly Breakdown[];
  rows: readonly number[];
  /** The number of evaluated rows, of which these may be only a sample. */
  measured: number;
  scores: readonly number[];
  baseline?: Readonly<{ name: string; scores: readonly number[] }>;
  worst: readonly WorstRow[];
}>;

/** Analysis of evaluated rows. `other`: texts and values only compared as a whole; `shown`: some of them. */
export type Analysis =
  & Common
  & (
    | Readonly<{ kind: "classes"; confusion: Confusion; classes: readonly ClassCounts[]; calibration?: Calibration }>
    | Readonly<{ kind: "labels"; classes: readonly ClassCounts[]; calibration?: Calibration }>
    | Readonly<{ kind: "numbers"; points: readonly (readonly [reference: number, prediction: number])[] }>
    | Readonly<{ kind: "tags"; confusion: Confusion; classes: readonly ClassCounts[] }>
    | Readonly<{ kind: "other"; sample: readonly WorstRow[] }>
  );

/** The largest number of points in a scatter plot. */
const SCATTER = 800;

/** Reduces evaluated rows to what a report shows. */
export function analyze(event: ExamplesEvent, worstRows: number): Analysis {
  const analysis = analyzed(event, worstRows);
  return { ...analysis, tables: breakdowns(analysis.kind, event.examples, analysis.scores) };
}

function analyzed(
  { examples, labels, metrics, figures = {}, split, rows: measured = examples.length }: ExamplesEvent,
  worstRows: number,
): Analysis {
  const rows = examples.map((example) => example.row);
  const common = { metrics, figures, tables: [], rows, measured, ...(split ? { split } : {}) };
  const kind = kindOf(examples, labels);
  if (kind === "numbers") return { ...common, kind, ...numbers(examples, worstRows) };
  if (kind === "labels") return { ...common, kind, ...labelSets(examples, labels, worstRows) };
  if (kind === "classes") return { ...common, kind, ...classes(examples, labels, worstRows) };
  if (kind === "tags") return { ...common, kind, ...tagged(examples, worstRows) };
  const scores = examples.map(isRight);
  const every = Math.max(1, examples.length / Math.max(1, worstRows));
  const chosen = Array.from({ length: Math.min(examples.length, worstRows) }, (_, i) => Math.floor(i * every));
  return {
    ...common,
    kind,
    scores,
    worst: worstOf(examples, scores.map((score) => 1 - score), worstRows),
    sample: chosen.flatMap((i) => rowOf(examples[i], scores[i] === 0)),
  };
}

function kindOf(examples: readonly Example[], labels: readonly string[]): Analysis["kind"] {
  const every = (test: (example: Example) => boolean): boolean => examples.every(test);
  if (examples.length === 0) return "other";
  if (every((e) => e.words !== undefined)) return "tags";
  const bare = every((e) => e.scores === undefined);
  if (bare && every((e) => typeof e.reference === "number" && typeof e.prediction === "number") && labels.length < 2) {
    return "numbers";
  }
  const known = new Set(labels);
  const isSet = (value: Json): boolean =>
    Array.isArray(value) && new Set(value).size === value.length && value.every((name) => known.has(String(name)));
  if (every((e) => isSet(e.reference) && isSet(e.prediction))) return "labels";
  const scalar = (value: Json): boolean => typeof value === "string" || typeof value === "number";
  const isKnownLabel = (value: Json): boolean => known.has(String(value));
  const classed = bare
    ? every((e) => isKnownLabel(e.reference) && isKnownLabel(e.prediction))
    : every((e) => e.scores !== undefined);
  return classed && every((e) => scalar(e.reference) && scalar(e.prediction)) ? "classes" : "other";
}

function classes(examples: readonly Example[], labels: readonly string[], worstRows: number) {
  const names = [...new Set([...labels, ...examples.flatMap((e) => [String(e.reference), String(e.prediction)])])];
  const index = new Map(names.map((name, i) => [name, i]));
  const confusion = confusionOf(
    names,
    examples.map((e) => [index.get(String(e.reference)) ?? 0, index.get(String(e.prediction)) ?? 0]),
  );
  const common = mostFrequent(examples.map((e) => String(e.reference)));
  const scores = examples.map(isRight);
  const probabilities = examples.map((e) => classScores(e));
  const badness = examples.map((e, i) => {
    const p = probabilities[i]?.[index.get(String(e.reference)) ?? -1];
    return finiteOr(e.loss, p === undefined ? 1 - (scores[i] ?? 0) : -Math.log(Math.max(1e-12, p)));
  });
  const detail = (i: number): Partial<WorstRow> => {
    const [row, e] = [probabilities[i], examples[i]];
    if (!row || !e) return {};
    return {
      confidence: row[index.get(String(e.prediction)) ?? -1],
      referenceScore: row[index.get(String(e.reference)) ?? -1],
      loss: badness[i],
    };
  };
  const pairs = examples.flatMap((_, i): [number, number][] => {
    const row = probabilities[i];
    return row ? [[row.reduce((a, b) => Math.max(a, b), 0), scores[i] ?? 0]] : [];
  });
  return {
    confusion,
    classes: classCounts(confusion),
    ...(pairs.some(([p]) => Number.isFinite(p)) ? { calibration: calibrate(pairs) } : {}),
    scores,
    baseline: {
      name: `always “${cut(common, 40)}”`,
      scores: examples.map((e) => Number(String(e.reference) === common)),
    },
    worst: worstOf(examples, badness, worstRows, detail),
  };
}

function labelSets(examples: readonly Example[], labels: readonly string[], worstRows: number) {
  const sets = examples.map((e) => ({ reference: setOf(e.reference), prediction: setOf(e.prediction) }));
  const key = (set: ReadonlySet<string>): string => labels.filter((label) => set.has(label)).join(", ");
  const common = mostFrequent(sets.map(({ reference }) => key(reference)));
  const scores = sets.map(({ reference, prediction }) => Number(key(reference) === key(prediction)));
  const pairs: [number, number][] = [];
  const badness = examples.map((e, i) => {
    const [labelScores, set] = [e.scores, sets[i]];
    if (!labelScores || !set || labelScores.length !== labels.length) return finiteOr(e.loss, 1 - (scores[i] ?? 0));
    let sum = 0;
    for (const [j, label] of labels.entries()) {
      const [p, there] = [labelScores[j] ?? 0, set.reference.has(label)];
      pairs.push([p, Number(there)]);
      sum -= Math.log(Math.max(1e-12, there ? p : 1 - p));
    }
    return finiteOr(e.loss, sum / labels.length);
  });
  const measured = pairs.length > 0 || examples.some((e) => e.loss !== undefined);
  return {
    classes: labelCounts(labels, sets),
    ...(pairs.some(([p]) => Number.isFinite(p)) ? { calibration: calibrate(pairs) } : {}),
    scores,
    baseline: {
      name: common === "" ? "always no label" : `always “${cut(common, 40)}”`,
      scores: sets.map(({ reference }) => Number(key(reference) === common)),
    },
    worst: worstOf(examples, badness, worstRows, (i) => (measured ? { loss: badness[i] } : {}), (i) => scores[i] === 0),
  };
}

function numbers(examples: readonly Example[], worstRows: number) {
  const pairs = examples.map((e) => [Number(e.reference), Number(e.prediction)] as const);
  const scores = pairs.map(([reference, prediction]) => Math.abs(reference - prediction));
  const mean = pairs.reduce((sum, [reference]) => sum + reference, 0) / Math.max(1, pairs.length);
  const every = Math.max(1, pairs.length / SCATTER);
  const chosen = Array.from(
    { length: Math.min(pairs.length, SCATTER) },
    (_, i) => pairs[Math.floor(i * every)] ?? [0, 0] as const,
  );
  return {
    points: chosen.filter((pair) => pair.every(Number.isFinite)),
    scores,
    baseline: { name: "always the mean", scores: pairs.map(([reference]) => Math.abs(reference - mean)) },
    worst: worstOf(examples, scores, worstRows, (i) => ({ loss: scores[i] }), () => false),
  };
}

/** Analyzes word tags: each word counts once; a row's score is the share of words that are right. */
function tagged(examples: readonly Example[], worstRows: number) {
  const pairs = examples.map((e) => {
    const [reference, prediction] = [e.reference, e.prediction].map((
      tags,
    ) => (Array.isArray(tags) ? tags.map(String) : []));
    return (reference ?? []).map((tag, i) => [tag, prediction?.[i] ?? ""] as const);
  });
  const names = [...new Set(pairs.flat(2))].sort();
  const index = new Map(names.map((name, i) => [name, i]));
  const confusion = confusionOf(
    names,
    pairs.flat().map(([reference, prediction]) => [index.get(reference) ?? 0, index.get(prediction) ?? 0]),
  );
  const common = mostFrequent(pairs.flat().map(([reference]) => reference));
  const share = (right: (tag: string, predicted: string) => boolean): number[] =>
    pairs.map((tags) => tags.filter(([tag, predicted]) => right(tag, predicted)).length / Math.max(1, tags.length));
  const scores = share((tag, predicted) => tag === predicted);
  const wrong = pairs.map((tags) => tags.filter(([tag, predicted]) => tag !== predicted).length);
  return {
    confusion,
    classes: classCounts(confusion),
    scores,
    baseline: { name: `always “${cut(common, 40)}”`, scores: share((tag) => tag === common) },
    worst: worstOf(examples, wrong, worstRows, (i) => ({
      words: (pairs[i] ?? []).map(([reference, prediction], k) => ({
        word: examples[i]?.words?.[k] ?? "",
        reference,
        prediction,
      })),
    })),
  };
}

/** Returns the worst rows, worst first, without those that have no badness. */
function worstOf(
  examples: readonly Example[],
  badness: readonly number[],
  count: number,
  detail: (i: number) => Partial<WorstRow> = () => ({}),
  wrong: (i: number) => boolean = (i) => isRight(examples[i]) === 0,
): readonly WorstRow[] {
  const order = badness.map((_, i) => i).filter((i) => badness[i] !== 0);
  order.sort((a, b) => (badness[b] ?? 0) - (badness[a] ?? 0) || a - b);
  return order.slice(0, count).flatMap((i) => rowOf(examples[i], wrong(i)).map((row) => ({ ...row, ...detail(i) })));
}

function rowOf(e: Example | undefined, wrong: boolean): WorstRow[] {
  if (!e) return [];
  return [{
    row: e.row,
    text: cut(e.text, 600),
    reference: cut(showValue(e.reference), 200),
    prediction: cut(showValue(e.prediction), 200),
    wrong,
  }];
}

/** Returns the probabilities by class; a single one is that of the second of two classes. */
function classScores({ scores }: Example): readonly number[] | undefined {
  return scores?.length === 1 ? [1 - (scores[0] ?? 0), scores[0] ?? 0] : scores;
}

function isRight(example: Example | undefined): number {
  const { reference = null, prediction = null } = example ?? {};
  // If there are several reference texts, any of them is right.
  if (typeof prediction === "string" && Array.isArray(reference)) return Number(reference.includes(prediction));
  return Number(JSON.stringify(reference) === JSON.stringify(prediction));
}

function setOf(value: Json): ReadonlySet<string> {
  return new Set(Array.isArray(value) ? value.map(String) : []);
}

function showValue(value: Json): string {
  if (Array.isArray(value)) return value.length === 0 ? "none" : value.map(showValue).join(", ");
  return typeof value === "string"
    ? value
    : typeof value === "number"
    ? String(Number(value.toPrecision(5)))
    : JSON.stringify(value);
}

function mostFrequent(values: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((best, next) => (next[1] > best[1] ? next : best), ["", 0])[0];
}

function finiteOr(value: number | undefined, otherwise: number): number {
  return value !== undefined && Number.isFinite(value) ? value : otherwise;
}

/** Cuts a text to at most `length` UTF-16 units, without splitting a character. */
function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length).replace(/[\ud800-\udbff]$/, "")}…`;
}

/**
 * Right and wrong answers by other criteria than classes: by entity, by kind and length of answer, by length of text.
 */
import type { Example, Json } from "../../../core/types.ts";

/** A table of parts of the rows. `shares`: numbers of the columns, from 0, that are shares. */
export type Breakdown = Readonly<{
  title: string;
  note: string;
  columns: readonly string[];
  rows: readonly (readonly (string | number)[])[];
  shares: readonly number[];
}>;

/** Returns the tables for rows with tags, texts, or one right answer each. `scores`: 1 for each row that is right. */
export function breakdowns(
  kind: "classes" | "labels" | "numbers" | "tags" | "other",
  examples: readonly Example[],
  scores: readonly number[],
): readonly Breakdown[] {
  if (kind === "numbers" || examples.length < LEAST) return [];
  if (kind === "tags") return [...entityTable(examples), ...byLength("Tags right", examples, scores)];
  if (kind !== "other") return byLength("Right", examples, scores);
  const overlaps = examples.map(({ prediction, reference }) => overlap(String(prediction), referencesOf(reference)));
  const answers = examples.map(({ reference }) => referencesOf(reference)[0] ?? "");
  return [
    ...byAnswer(answers, scores, overlaps),
    ...binned("By length of the answer", answers.map(wordsIn), scores, overlaps, "words"),
    ...binned("By length of the text", examples.map(({ text }) => text.length), scores, overlaps, "characters"),
    ...byOverlap(overlaps),
  ];
}

/** Parts of fewer rows are not meaningful. */
const LEAST = 8;

/** Number of parts, of about equal size, for rows by length. */
const PARTS = 4;

function byLength(name: string, examples: readonly Example[], scores: readonly number[]): Breakdown[] {
  const lengths = examples.map(({ text }) => text.length);
  return parts(lengths, "characters").length < 2 ? [] : [{
    title: "By length of the text",
    note: "Groups of about equal size.",
    columns: ["Length", "Rows", name],
    rows: parts(lengths, "characters").map(({ label, rows }) => [label, rows.length, meanAt(scores, rows)]),
    shares: [2],
  }];
}

function binned(
  title: string,
  lengths: readonly number[],
  scores: readonly number[],
  overlaps: readonly number[],
  unit: string,
): Breakdown[] {
  const shares = parts(lengths, unit);
  return shares.length < 2 ? [] : [{
    title,
    note: "Groups of about equal size. Overlap: F1 of the words of prediction and answer.",
    columns: ["Length", "Rows", "Exactly right", "Overlap"],
    rows: shares.map(({ label, rows }) => [label, rows.length, meanAt(scores, rows), meanAt(overlaps, rows)]),
    shares: [2, 3],
  }];
}

function byAnswer(answers: readonly string[], scores: readonly number[], overlaps: readonly number[]): Breakdown[] {
  const kinds = new Map<string, number[]>();
  answers.forEach((answer, i) => {
    const rows = kinds.get(kindOf(answer));
    if (rows) rows.push(i);
    else kinds.set(kindOf(answer), [i]);
  });
  return kinds.size < 2 ? [] : [{
    title: "By kind of answer",
    note:
      "Judged by how the answer is written: empty, yes or no, a number, a year or date, a name (capitalized words), or else a phrase.",
    columns: ["Answer", "Rows", "Exactly right", "Overlap"],
    rows: [...kinds].sort((a, b) => b[1].length - a[1].length)
      .map(([kind, rows]) => [kind, rows.length, meanAt(scores, rows), meanAt(overlaps, rows)]),
    shares: [2, 3],
  }];
}

function byOverlap(overlaps: readonly number[]): Breakdown[] {
  const steps = [["none", 0, 0], ["up to a half", 0, 0.5], ["more than a half", 0.5, 1], ["all", 1, 1]] as const;
  const rows = steps.map(([label, low, high]) => {
    const count =
      overlaps.filter((x) => (low === high ? x === low : x > low && (high === 1 ? x < 1 : x <= high))).length;
    return [label, count, count / overlaps.length] as const;
  });
  return [{
    title: "By overlap with the answer",
    note: "The share of words that prediction and answer have in common (F1).",
    columns: ["Overlap", "Rows", "Share"],
    rows,
    shares: [2],
  }];
}

/** Returns a table of the entities of each type: how many are right, and how the others are wrong. */
function entityTable(examples: readonly Example[]): Breakdown[] {
  type Row = { gold: number; right: number; type: number; border: number; missed: number; invented: number };
  const types = new Map<string, Row>();
  const of = (type: string): Row => {
    const row = types.get(type) ?? { gold: 0, right: 0, type: 0, border: 0, missed: 0, invented: 0 };
    types.set(type, row);
    return row;
  };
  for (const { reference, prediction } of examples) {
    const [gold, predicted] = [entitiesOf(reference), entitiesOf(prediction)];
    for (const one of gold) {
      const row = of(one.type);
      row.gold++;
      const same = predicted.filter(({ start, end }) => start === one.start && end === one.end);
      const near = predicted.filter(({ start, end }) => start < one.end && end > one.start);
      if (same.some(({ type }) => type === one.type)) row.right++;
      else if (same.length > 0) row.type++;
      else if (near.length > 0) row.border++;
      else row.missed++;
    }
    for (const one of predicted) {
      if (!gold.some(({ start, end }) => start < one.end && end > one.start)) of(one.type).invented++;
    }
  }
  return types.size === 0 ? [] : [{
    title: "By entity",
    note:
      "True entities are found exactly, with another type, with other borders, or not at all; invented ones are predicted where there is none.",
    columns: ["Entity", "True", "Right", "Other type", "Other borders", "Missed", "Invented"],
    rows: [...types].sort((a, b) => b[1].gold - a[1].gold).map(([type, row]) => [
      type,
      row.gold,
      ...[row.right, row.type, row.border, row.missed].map((n) => (row.gold === 0 ? 0 : n / row.gold)),
      row.invented,
    ]),
    shares: [2, 3, 4, 5],
  }];
}

type Entity = Readonly<{ type: string; start: number; end: number }>;

/** Returns the entities of IOB2 tags, also of those that do not start with B. */
function entitiesOf(tags: Json): Entity[] {
  const entities: { type: string; start: number; end: number }[] = [];
  let open: { type: string; start: number; end: number } | undefined;
  (Array.isArray(tags) ? tags.map(String) : []).forEach((tag, i) => {
    const [, mark = "", type = ""] = /^(?:([BIESLU])-)?(.+)$/.exec(tag) ?? [];
    if (tag === "O") open = undefined;
    else if (open && open.type === type && mark !== "B" && mark !== "S" && mark !== "U") open.end = i + 1;
    else entities.push(open = { type, start: i, end: i + 1 });
  });
  return entities;
}

function referencesOf(reference: Json): readonly string[] {
  return Array.isArray(reference) ? reference.map(String) : [String(reference)];
}

function kindOf(answer: string): string {
  const text = answer.trim();
  if (text === "") return "empty";
  if (/^(yes|no)[.!]?$/i.test(text)) return "yes or no";
  if (/^(?:[A-Za-z]+ )?(?:\d{1,2},? )?(?:[A-Za-z]+ )?(1[0-9]{3}|20[0-9]{2})$/.test(text)) return "year or date";
  if (/^[^A-Za-z]*\d[\d.,]*[^A-Za-z]*(?: \w+)?$/.test(text)) return "number";
  const words = text.split(/\s+/);
  return words.length <= 6 && words.filter((word) => /^\p{Lu}/u.test(word)).length * 2 > words.length
    ? "name"
    : "phrase";
}

/** Returns the F1 of the words of two texts, the best over several references. */
function overlap(prediction: string, references: readonly string[]): number {
  const words = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  const answer = words(prediction);
  return Math.max(
    0,
    ...references.map((reference) => {
      const left = new Map<string, number>();
      const gold = words(reference);
      for (const word of gold) left.set(word, (left.get(word) ?? 0) + 1);
      if (gold.length === 0 || answer.length === 0) return Number(gold.length === answer.length);
      let shared = 0;
      for (const word of answer) {
        const n = left.get(word) ?? 0;
        if (n > 0) shared++;
        left.set(word, n - 1);
      }
      return 2 * shared / (answer.length + gold.length);
    }),
  );
}

function wordsIn(text: string): number {
  return text.split(/\s+/).filter((word) => word !== "").length;
}

/** Splits rows into parts of about equal size, by a number for each row. */
function parts(
  numbers: readonly number[],
  unit: string,
): readonly Readonly<{ label: string; rows: readonly number[] }>[] {
  const sorted = numbers.toSorted((a, b) => a - b);
  const edges = [
    ...new Set(Array.from({ length: PARTS - 1 }, (_, i) => sorted[Math.floor((i + 1) * sorted.length / PARTS)] ?? 0)),
  ].filter((edge) => edge > (sorted[0] ?? 0));
  return [...edges, Infinity].map((edge, i) => {
    const from = i === 0 ? sorted[0] ?? 0 : edges[i - 1] ?? 0;
    const rows = numbers.flatMap((x, row) => (x >= from && x < edge ? [row] : []));
    const label = edge === Infinity ? `${from} ${unit} or more` : `${from} to ${edge - 1}`;
    return { label, rows };
  }).filter(({ rows }) => rows.length > 0);
}

function meanAt(values: readonly number[], rows: readonly number[]): number {
  return rows.length === 0 ? 0 : rows.reduce((sum, row) => sum + (values[row] ?? 0), 0) / rows.length;
}

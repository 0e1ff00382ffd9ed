/** Changes the texts of rows (strings, lists of strings, messages), and the positions that refer to them. */
import type { Row, RowColumns, TransformRow } from "../../core/types.ts";
import { applyEdits, type ChangedText, type Edit } from "./changed_text.ts";
import { badColumn } from "./each_row.ts";

/** Changes a text; the reasons are added to the transform's report. */
export type TextChange = (text: string) => ChangedText;

/** Columns of texts, and columns with positions in them. */
export type TextPlaces = Readonly<{ texts: readonly string[] }> & Pick<RowColumns, "spans" | "parallel">;

/**
 * Changes the texts of a row: SQuAD's answers move with their context, and the tag of a removed word is removed, too.
 * Returns the same row if no text changes.
 *
 * @throws AttuneError if an answer is not where its start says, or nothing of it is left.
 */
export function changeRow(plugin: string, item: TransformRow, places: TextPlaces, change: TextChange): Row {
  const { row } = item;
  const changed: Record<string, unknown> = {};
  for (const column of places.texts) {
    if (!Object.hasOwn(row, column)) continue;
    const value = row[column];
    const tags = Object.entries(places.parallel ?? {}).filter(([, words]) => words === column).map(([name]) => name);
    const answers = Object.entries(places.spans ?? {}).filter(([, text]) => text === column).map(([name]) => name);
    if (typeof value === "string") {
      const next = change(value);
      if (next.text === value) continue;
      changed[column] = next.text;
      for (const name of answers) changed[name] = movedAnswers(plugin, item, name, value, next);
    } else if (tags.length > 0 && isTexts(value)) {
      Object.assign(changed, changedWords(item.row, column, value, tags, change));
    } else {
      const next = changeWithin(value, change);
      if (next !== value) changed[column] = next;
    }
  }
  return Object.keys(changed).length === 0 ? row : { ...row, ...changed };
}

const isTexts = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every((one) => typeof one === "string");

/** Changes each text in lists and messages; other values stay. */
function changeWithin(value: unknown, change: TextChange): unknown {
  if (typeof value === "string") return change(value).text;
  if (Array.isArray(value)) {
    const next = value.map((one) => changeWithin(one, change));
    return next.some((one, i) => one !== value[i]) ? next : value;
  }
  if (typeof value !== "object" || value === null) return value;
  // A message, or a part of a message's content.
  const key = ["content", "text"].find((name) => Object.hasOwn(value, name));
  if (key === undefined) return value;
  const old = (value as Row)[key];
  const next = changeWithin(old, change);
  return next === old ? value : { ...value, [key]: next };
}

/** Changes each word separately, and removes the tags of words that become empty. */
function changedWords(
  row: Row,
  column: string,
  words: readonly string[],
  tags: readonly string[],
  change: TextChange,
): Row {
  const next = words.map((word) => change(word).text);
  if (next.every((word, i) => word === words[i])) return {};
  return keepWords(row, column, words, next, tags);
}

/**
 * Replaces the words of a row. A word that becomes empty is removed with its tag; words that were empty before stay.
 */
function keepWords(
  row: Row,
  column: string,
  before: readonly string[],
  words: readonly string[],
  tags: readonly string[],
): Row {
  const stays = words.map((word, i) => word !== "" || before[i] === "");
  const changedRow: Record<string, unknown> = { [column]: words.filter((_, i) => stays[i]) };
  for (const name of tags) {
    const tags = row[name];
    if (Array.isArray(tags) && tags.length === words.length) changedRow[name] = tags.filter((_, i) => stays[i]);
  }
  return changedRow;
}

/** Changes a list of words as one text, joined by blanks. If several words become one, the first stays with its tag. */
export function changeWordsTogether(
  row: Row,
  column: string,
  words: readonly string[],
  tags: readonly string[],
  editsOf: (text: string) => readonly Edit[],
): Row {
  const edits = editsOf(words.join(" "));
  if (edits.length === 0) return {};
  let at = 0;
  const bounds = words.map((word) => {
    const from = at;
    at += word.length + 1;
    return { from, to: from + word.length };
  });
  // An edit over several words goes to the first of them, and removes its part of the others.
  const ownEdits = (from: number, to: number): Edit[] =>
    edits.flatMap((edit) => {
      if (edit.from >= to || edit.to <= from) return [];
      const begins = edit.from >= from;
      return [{
        from: Math.max(edit.from, from) - from,
        to: Math.min(edit.to, to) - from,
        text: begins ? edit.text : "",
      }];
    });
  const next = words.map((word, i) => {
    const { from = 0, to = 0 } = bounds[i] ?? {};
    return applyEdits(word, ownEdits(from, to)).text;
  });
  return keepWords(row, column, words, next, tags);
}

/** Returns SQuAD's answers as ranges of their context, in UTF-16 units. `byPoint`: they are given in code points. */
export function standingAnswers(
  plugin: string,
  item: TransformRow,
  column: string,
  context: string,
): readonly Readonly<{ from: number; to: number; byPoint: boolean }>[] {
  const { text, answer_start: starts } = Object(item.row[column]) as Readonly<
    { text?: unknown; answer_start?: unknown }
  >;
  if (!isTexts(text) || !Array.isArray(starts) || text.length !== starts.length) return [];
  return text.map((answer, i) => {
    const start = Number(starts[i]);
    const byPoint = unitsOf(context, start);
    const from = [byPoint, start].find((place) => context.startsWith(answer, place));
    if (from !== undefined) return { from, to: from + answer.length, byPoint: from === byPoint };
    throw badColumn(plugin, item, column, answer, `an answer that is found in its text at answer_start ${start}`);
  });
}

/**
 * Returns SQuAD's answers after a change of their context: each is the text that is in its place now, with its start in
 * the original unit.
 */
function movedAnswers(plugin: string, item: TransformRow, column: string, before: string, next: ChangedText): unknown {
  const answers = standingAnswers(plugin, item, column, before).map(({ from, to, byPoint }) => {
    const [start, end] = [next.start(from), next.end(to)];
    const moved = next.text.slice(start, end);
    const answer = before.slice(from, to);
    if (moved.trim() === "" && answer.trim() !== "") {
      throw badColumn(plugin, item, column, answer, "an answer that is not empty");
    }
    return { text: moved, place: byPoint ? [...next.text.slice(0, start)].length : start };
  });
  if (answers.length === 0) return item.row[column];
  return {
    ...Object(item.row[column]),
    text: answers.map(({ text }) => text),
    answer_start: answers.map(({ place }) => place),
  };
}

/** Returns the number of UTF-16 units of the first `points` code points. */
function unitsOf(text: string, points: number): number {
  let at = 0;
  for (let i = 0; i < points && at < text.length; i++) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return at;
}

/** Returns all text in a value: a string, a list of strings, or messages. */
export function textIn(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map(textIn).filter((text) => text !== "").join("\n");
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "object" || value === null) return "";
  const { content, text } = value as Row;
  return textIn(content ?? text);
}

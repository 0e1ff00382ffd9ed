/** Changes of words carried out: in a text, in a list of words with tags. */
import type { Row, RowColumns } from "../../core/types.ts";
import { applyEdits, type ChangedText, type Edit } from "./changed_text.ts";
import type { Word, WordChange } from "./word_changes.ts";

/** A stretch of a text that must stay. */
export type FixedStretch = Readonly<{ from: number; to: number }>;

/** A word and where it stands. */
export type PlacedWord = Word & Readonly<{ from: number; to: number }>;

/** The words of a text: letters and digits, with what joins them. */
export function wordsIn(text: string, fixed: readonly FixedStretch[] = []): readonly PlacedWord[] {
  return [...text.matchAll(/[\p{L}\p{M}\p{N}]+(?:['’_-][\p{L}\p{M}\p{N}]+)*/gu)].map(({ 0: word, index: from }) => {
    const to = from + word.length;
    const isFixed = fixed.some((stretch) => stretch.from < to && stretch.to > from);
    return {
      text: word,
      from,
      to,
      isFixed,
      isInside: fixed.some((stretch) => stretch.from < from && stretch.to > from),
    };
  });
}

/** A text with its words changed: all between them stays as it is, but for the blank beside a word that goes or comes. */
export function changeText(text: string, words: readonly PlacedWord[], changes: readonly WordChange[]): ChangedText {
  const edits = changes.map((change): Edit => {
    if ("replace" in change) {
      const { from = 0, to = 0 } = words[change.replace] ?? {};
      return { from, to, text: change.by };
    }
    if ("insert" in change) {
      const next = words[change.insert];
      const at = next?.from ?? words.at(-1)?.to ?? text.length;
      return { from: at, to: at, text: next ? `${change.text} ` : ` ${change.text}` };
    }
    const { from = 0, to = 0 } = words[change.remove] ?? {};
    const behind = /^\s+/u.exec(text.slice(to))?.[0].length ?? 0;
    const before = behind > 0 ? 0 : /\s+$/u.exec(text.slice(0, from))?.[0].length ?? 0;
    return { from: from - before, to: to + behind, text: "" };
  });
  edits.sort((a, b) => a.from - b.from || a.to - b.to);
  // The blank between two words that go is one.
  let at = 0;
  return applyEdits(
    text,
    edits.map(({ from, to, text: by }) => {
      const begin = Math.max(from, at);
      at = Math.max(begin, to);
      return { from: begin, to: at, text: by };
    }),
  );
}

const isEntity = (tag: unknown): boolean => typeof tag === "string" && /^[BIESLUM]-/.test(tag);

/** The words of a list with tags beside them: those of entities are fixed. */
export function taggedWords(words: readonly string[], tags: readonly (readonly unknown[])[]): readonly Word[] {
  return words.map((text, i) => ({
    text,
    isFixed: tags.some((tag) => isEntity(tag[i])),
    isInside: tags.some((tags) => typeof tags[i] === "string" && /^[IELM]-/.test(tags[i])),
  }));
}

/** Tags by their names, where they are numbers of classes that have some. */
export function namedTags(tags: readonly unknown[], classes: readonly string[] = []): readonly unknown[] {
  return tags.map((tag) => (typeof tag === "number" ? classes[tag] ?? tag : tag));
}

/**
 * A list of words with changes, and the tags beside it: a word has the tag of the one that it comes from, or none of an entity.
 * `classes`: names of the tags by column, where they are numbers.
 */
export function changeWords(
  row: Row,
  column: string,
  names: readonly string[],
  changes: readonly WordChange[],
  classes: RowColumns["classes"] = {},
): Row {
  const words = row[column] as readonly string[];
  // Each place of the new list: a word, and whose tag it has; "O" where it is new among entities.
  const out: { text: string; tagOf: number; isNew: boolean }[] = [];
  const insertBefore = (place: number): void => {
    for (const change of changes) {
      if ("insert" in change && change.insert === place) {
        out.push({ text: change.text, tagOf: change.tagOf, isNew: true });
      }
    }
  };
  words.forEach((word, i) => {
    insertBefore(i);
    if (changes.some((change) => "remove" in change && change.remove === i)) return;
    const replaced = changes.find((change) => "replace" in change && change.replace === i);
    if (replaced && "replace" in replaced) out.push({ text: replaced.by, tagOf: replaced.tagOf ?? i, isNew: false });
    else out.push({ text: word, tagOf: i, isNew: false });
  });
  insertBefore(words.length);
  const changed: Record<string, unknown> = { ...row, [column]: out.map(({ text }) => text) };
  for (const name of names) {
    const tags = row[name];
    if (!Array.isArray(tags)) continue;
    const known = namedTags(tags, classes[name]);
    const hasEntities = known.some(isEntity) || known.includes("O");
    const none = typeof tags[0] === "number" ? classes[name]?.indexOf("O") ?? -1 : "O";
    changed[name] = out.map(({ tagOf, isNew }) => (isNew && hasEntities && none !== -1 ? none : tags[tagOf]));
  }
  return changed;
}

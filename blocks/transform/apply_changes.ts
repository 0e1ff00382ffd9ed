/** Applies changes of words, to a text or to a list of words with tags. */
import type { Row, RowColumns } from "../../core/types.ts";
import { applyEdits, type ChangedText, type Edit } from "./changed_text.ts";
import type { Word, WordChange } from "./word_changes.ts";

/** A range of a text that must not change. */
export type FixedStretch = Readonly<{ from: number; to: number }>;

/** A word and its position. */
export type PlacedWord = Word & Readonly<{ from: number; to: number }>;

/** Returns the words of a text: letters and digits, with the characters that join them. */
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

/** Applies changes to words of a text. The rest stays, except for a blank next to an inserted or removed word. */
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
  // Two adjacent removed words share one blank.
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

/** Returns the words of a list with tags; words of entities are fixed. */
export function taggedWords(words: readonly string[], tags: readonly (readonly unknown[])[]): readonly Word[] {
  return words.map((text, i) => ({
    text,
    isFixed: tags.some((tag) => isEntity(tag[i])),
    isInside: tags.some((tags) => typeof tags[i] === "string" && /^[IELM]-/.test(tags[i])),
  }));
}

/** Replaces tags that are class numbers by class names, if there are any. */
export function namedTags(tags: readonly unknown[], classes: readonly string[] = []): readonly unknown[] {
  return tags.map((tag) => (typeof tag === "number" ? classes[tag] ?? tag : tag));
}

/**
 * Applies changes to a list of words and its tags: a word keeps the tag of the word that it comes from, or one outside
 * of entities. `classes`: names of the tags by column, if tags are numbers.
 */
export function changeWords(
  row: Row,
  column: string,
  names: readonly string[],
  changes: readonly WordChange[],
  classes: RowColumns["classes"] = {},
): Row {
  const words = row[column] as readonly string[];
  // For each position of the new list a word, and the word whose tag it has; "O" if it is inserted between entities.
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

/** Data augmentation of one row: the same row with different texts. */
import { missing, unsupported } from "../../core/base/errors.ts";
import type { Host, Row, RowColumns, SavedModel, TransformRow } from "../../core/types.ts";
import { changeText, changeWords, type FixedStretch, namedTags, taggedWords, wordsIn } from "./apply_changes.ts";
import { asChangedText, type ChangedText } from "./changed_text.ts";
import { likeCase } from "./inflection.ts";
import { changeRow, standingAnswers } from "./row_texts.ts";
import {
  changedWords,
  type Draws,
  maskedWords,
  withDeletions,
  withInsertions,
  withSwaps,
  withSynonyms,
  withTypos,
  type Word,
  type WordChange,
} from "./word_changes.ts";
import type { Synonyms } from "./wordnet.ts";

/** The methods of augmentation. */
export const augmentMethods = ["synonym", "insert", "swap", "delete", "typo", "mask", "back-translate"] as const;

/** A method of augmentation. */
export type AugmentMethod = (typeof augmentMethods)[number];

/** Fills the gaps of a text, between the given `parts`. */
export type Filler = Readonly<{ fill(parts: readonly string[]): Promise<readonly string[]>; close(): Promise<void> }>;

/** Translates a text to another language and back. */
export type Translator = Readonly<{ translate(text: string): Promise<string>; close(): Promise<void> }>;

/** How a row is changed. */
export type AugmentOptions = Readonly<{
  method: AugmentMethod;
  alpha: number;
  draws: Draws;
  synonyms: Synonyms;
  fill: Filler | undefined;
  translate: Translator | undefined;
}>;

/** Returns a row with texts changed by one method; the same row if nothing could change. */
export async function augmentRow(
  plugin: string,
  item: TransformRow,
  places: RowColumns,
  options: AugmentOptions,
): Promise<Row> {
  let { row } = item;
  for (const column of places.texts) {
    if (!Object.hasOwn(row, column)) continue;
    const value = row[column];
    const changedItem = { ...item, row };
    if (typeof value === "string") {
      const changed = await changedText(plugin, changedItem, column, value, places, options);
      row = changeRow(plugin, changedItem, { ...places, texts: [column] }, () => changed);
    } else if (Array.isArray(value)) row = await changedList(plugin, changedItem, column, value, places, options);
  }
  return row;
}

async function changedText(
  plugin: string,
  item: TransformRow,
  column: string,
  text: string,
  places: RowColumns,
  options: AugmentOptions,
): Promise<ChangedText> {
  const fixed: FixedStretch[] = Object.entries(places.spans ?? {}).filter(([, of]) => of === column)
    .flatMap(([name]) => standingAnswers(plugin, item, name, text));
  const { translate } = options;
  if (options.method === "back-translate" && translate) {
    if (fixed.length > 0 || Object.values(places.spans ?? {}).includes(column)) {
      throw unsupported(
        plugin,
        "methods",
        "back-translate",
        `column "${column}" has answers, whose positions a translation would lose`,
      );
    }
    const next = await translate.translate(text);
    return { text: next, start: () => 0, end: () => next.length };
  }
  const words = wordsIn(text, fixed);
  if (words.length === 0) return asChangedText(text);
  const between = (i: number, k: number): string => text.slice(words[i]?.to ?? 0, words[k]?.from ?? text.length);
  return changeText(text, words, await changesOf(words, between, options));
}

async function changedList(
  plugin: string,
  item: TransformRow,
  column: string,
  list: readonly unknown[],
  places: RowColumns,
  options: AugmentOptions,
): Promise<Row> {
  const { row } = item;
  const names = Object.entries(places.parallel ?? {}).filter(([, of]) => of === column).map(([name]) => name);
  if (names.length > 0 && list.every((word) => typeof word === "string")) {
    if (options.method === "back-translate") {
      throw unsupported(plugin, "methods", "back-translate", `tags belong to the words of column "${column}"`);
    }
    const tags = names.flatMap((name) => {
      const column = row[name];
      return Array.isArray(column) ? [namedTags(column, places.classes?.[name])] : [];
    });
    const words = taggedWords(list, tags);
    const changes = words.length === 0 ? [] : await changesOf(words, () => " ", options);
    return changes.length === 0 ? row : changeWords(row, column, names, changes, places.classes);
  }
  const next: unknown[] = [];
  for (const one of list) next.push(await changedItem(plugin, item, one, options));
  return { ...row, [column]: next };
}

/** Changes a text in a list, or a user's message: other messages are learned, or given. */
async function changedItem(
  plugin: string,
  item: TransformRow,
  value: unknown,
  options: AugmentOptions,
): Promise<unknown> {
  const change = async (text: string): Promise<string> =>
    (await changedText(plugin, item, "", text, { texts: [] }, options)).text;
  if (typeof value === "string") return await change(value);
  const { role, content } = Object(value) as Row;
  return role === "user" && typeof content === "string" ? { ...Object(value), content: await change(content) } : value;
}

async function changesOf(
  words: readonly Word[],
  between: (i: number, k: number) => string,
  { method, alpha, draws, synonyms, fill }: AugmentOptions,
): Promise<readonly WordChange[]> {
  const n = changedWords(alpha, words.length);
  if (method === "synonym") return withSynonyms(words, n, draws, synonyms);
  if (method === "insert") return withInsertions(words, n, draws, synonyms);
  if (method === "swap") return withSwaps(words, n, draws);
  if (method === "delete") return withDeletions(words, alpha, draws);
  if (method === "typo") return withTypos(words, n, draws);
  const gaps = maskedWords(words, n, draws);
  if (!fill || gaps.length === 0) return [];
  const parts: string[] = [""];
  words.forEach(({ text }, i) => {
    parts[parts.length - 1] += i === 0 ? "" : between(i - 1, i);
    if (gaps.includes(i)) parts.push("");
    else parts[parts.length - 1] += text;
  });
  parts[parts.length - 1] += between(words.length - 1, words.length);
  const found = await fill.fill(parts);
  return gaps.flatMap((i, k) => {
    const by = found[k] ?? "";
    // Only whole words are used, no pieces of words.
    return /^\p{L}+$/u.test(by) ? [{ replace: i, by: likeCase(by, words[i]?.text ?? "") }] : [];
  });
}

async function openModel(plugin: string, host: Host, folder: string, task: string): Promise<SavedModel> {
  if (!host.openSaved) throw missing(plugin, "runs that are opened from their folders", host.runtime);
  const model = await host.openSaved(host.resolve?.(folder) ?? folder);
  if (model.task === task) return model;
  throw unsupported(plugin, folder, model.task, `a run of ${task} is needed`);
}

/** Opens a masked language model that fills gaps. */
export async function openFiller(plugin: string, host: Host, folder: string): Promise<Filler> {
  const model = await openModel(plugin, host, folder, "masked-lm");
  const { maskToken = "[MASK]", columns: [column = "text"] } = model;
  return {
    fill: async (parts) => {
      const [answer] = await model.predict([{ [column]: parts.join(maskToken) }]);
      const filled = Array.isArray(answer?.fills) ? answer.fills as readonly Readonly<{ token?: unknown }>[] : [];
      return filled.map(({ token }) => String(token ?? "").trim());
    },
    close: () => model.close(),
  };
}

/** Opens two models that translate to another language and back. */
export async function openTranslator(plugin: string, host: Host, folders: readonly string[]): Promise<Translator> {
  const models: SavedModel[] = [];
  for (const folder of folders) models.push(await openModel(plugin, host, folder, "seq2seq-lm"));
  return {
    translate: async (text) => {
      let translated = text;
      for (const model of models) {
        const [answer] = await model.predict([{ [model.columns[0] ?? "source"]: translated }]);
        translated = typeof answer?.text === "string" ? answer.text : "";
      }
      return translated.trim() === "" ? text : translated;
    },
    close: async () => {
      for (const model of models) await model.close();
    },
  };
}

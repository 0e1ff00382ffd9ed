/**
 * Turns words with tags into samples of tokens with labels.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import type { CollatorContext, Factory, Row, Sample } from "../../core/types.ts";
import {
  classesOf,
  idsOf,
  labelField,
  missingColumn,
  readColumns,
  readyMade,
  tokenFields,
} from "../../blocks/collator/mod.ts";

/** Options of {@link tokenLabels}. */
export interface TokenLabelsOptions {
  /** What to do with rows without words: raise an error, or skip them with a warning if there are labels. */
  readonly emptySentences: "refuse" | "skip";
  /** Names of the tags, in order of their ids. */
  readonly labels: readonly string[];
  /** Names of the columns, if they differ: `{ "tags": "ner_tags" }`. */
  readonly columns: Readonly<Record<string, string>>;
}

const NAME = "token-labels";

/** The label value that losses ignore. */
const IGNORE = -100;

/**
 * `tokens` (words) and `tags` (names, or ids) → input_ids, token_type_ids and `labels`: the first token of a word has
 * its tag, all others -100. A word without tokens loses its tag. Rows with `input_ids` (and `labels`) are used
 * unchanged. For decoding, the metadata has the number of each word's first token (-1: none).
 *
 * @throws AttuneError from `encode` if a column is missing, a tag is unknown, or there are not as many tags as
 * words.
 * @example
 * ```ts
 * import { tokenLabels } from "attune/collators/token-labels";
 * console.assert(tokenLabels({ labels: ["O", "B-PER"] }).name === "token-labels");
 * ```
 */
export const tokenLabels: Factory<"collator", Partial<TokenLabelsOptions>> = define({
  kind: "collator",
  name: NAME,
  schema: v.strictObject({
    emptySentences: v.optional(v.picklist(["refuse", "skip"]), "refuse"),
    labels: v.optional(v.array(v.string()), []),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  }),
  create: ({ labels, columns, emptySentences }: TokenLabelsOptions) => {
    const tagId = classesOf(NAME, labels);
    const isSkipped = (row: Row): boolean => {
      const words = row[columns.tokens ?? "tokens"];
      return emptySentences === "skip" && Array.isArray(words) && words.length === 0;
    };
    return {
      oneEach: emptySentences === "refuse",
      columns: readColumns(columns, { texts: ["tokens"], parallel: { tags: "tokens" }, classes: { tags: labels } }),
      survey: () => {
        let [skipped, rows] = [0, 0];
        return {
          add: (row) => {
            rows++;
            if (isSkipped(row)) skipped++;
          },
          end: () => ({
            notes: skipped === 0 ? [] : [`${skipped} of ${rows} rows have no words and were skipped`],
          }),
        };
      },
      encode: (row, index, context) => {
        if (context.requiresLabels && isSkipped(row)) return [];
        if ("input_ids" in row) return [readyMadeSample(row, index, context)];
        return [sampleOf(row, index, { tagId, columns }, context)];
      },
    };
  },
});

/** How tags are read, and the names of the columns. */
type Reading = Pick<TokenLabelsOptions, "columns"> & Readonly<{ tagId: ReturnType<typeof classesOf> }>;

function sampleOf(row: Row, index: number, { tagId, columns }: Reading, context: CollatorContext): Sample {
  const { tokenizer, maxLength, requiresLabels: labelled } = context;
  const column = columns.tokens ?? "tokens";
  const words = row[column];
  if (!(column in row)) throw missingColumn(NAME, row, index, column);
  if (!Array.isArray(words) || !words.every((word) => typeof word === "string")) {
    throw badValue(NAME, `row ${index}, column "${column}"`, words, "a list of words");
  }
  if (words.length === 0 && labelled) {
    const wanted = 'at least one word (task.with.emptySentences: "skip" skips such rows)';
    throw badValue(NAME, `row ${index}, column "${column}"`, words, wanted);
  }
  const [{ ids, typeIds, wordIds }] = tokenizer.encode(words, { maxLength, truncation: maxLength !== undefined });
  const starts = words.map((_, word) => wordIds.indexOf(word));
  const fields = tokenFields(tokenizer, ids, typeIds);
  if (labelled) {
    const tags = tagsOf(row, index, columns.tags ?? "tags", words.length, tagId);
    const data = new Int32Array(ids.length).fill(IGNORE);
    starts.forEach((at, word) => {
      if (at >= 0) data[at] = tags[word] ?? IGNORE;
    });
    fields.labels = labelField(data);
  }
  return { sequences: [{ length: ids.length, fields }], targets: {}, row: index, metadata: starts };
}

function tagsOf(row: Row, index: number, column: string, words: number, tagId: Reading["tagId"]): number[] {
  const tags = row[column];
  if (!(column in row)) throw missingColumn(NAME, row, index, column);
  const at = `row ${index}, column "${column}"`;
  if (!Array.isArray(tags)) throw badValue(NAME, at, tags, "a list of tags");
  if (tags.length !== words) throw badValue(NAME, at, `${tags.length} tags`, `${words} tags, one for each word`);
  return tags.map((tag, i) => tagId(tag, `${at}, tag ${i}`));
}

function readyMadeSample(row: Row, index: number, { tokenizer, requiresLabels: labelled }: CollatorContext): Sample {
  const fields = readyMade(NAME, row, index, tokenizer);
  const length = fields.input_ids?.data.length ?? 0;
  if (labelled) {
    const data = idsOf(NAME, row, index, "labels", IGNORE);
    if (data.length !== length) {
      throw badValue(NAME, `row ${index}`, [length, data.length], "input_ids and labels of one length");
    }
    fields.labels = labelField(data);
  }
  const marked = "labels" in row ? [...idsOf(NAME, row, index, "labels", IGNORE)] : undefined;
  const starts = Array.from({ length }, (_, i) => i).filter((i) => marked === undefined || marked[i] !== IGNORE);
  return { sequences: [{ length, fields }], targets: {}, row: index, metadata: starts };
}

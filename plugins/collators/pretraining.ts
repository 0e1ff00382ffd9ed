/**
 * Pairs of sentences with masked tokens; half of the pairs belong together.
 * @module
 */
import { type MaskedTextOptions, maskedTextSchema } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import type { CollatorContext, Factory, Field, Random, Row, Sample } from "../../core/types.ts";
import { missingColumn, readColumns, tokenFields } from "../../blocks/collator/mod.ts";
import { readyMadeSample } from "./masked_lm.ts";
import { labelField, maskableWords, maskSample } from "../../blocks/collator/mod.ts";

const NAME = "pretraining";
const FOLLOWS = 0, STRANGER = 1;

type Pair = Readonly<{ first: string; second: string }>;

/** The sentences of the dataset's rows that were seen so far, by context. */
const documents = new WeakMap<CollatorContext, Map<number, readonly string[]>>();

/**
 * `sentences` (those of one document, in order) → pairs of neighbours; in half of them, drawn anew in each epoch, the
 * second sentence is from another document, or for ALBERT the order is reversed. Rows that have `input_ids`, `labels`
 * and `next_sentence_label` (or `sentence_order_label`) are used unchanged.
 *
 * @throws AttuneError if a document has fewer than two sentences, or there is no other document.
 * @example
 * ```ts
 * import { pretraining } from "attune/collators/pretraining";
 * console.assert(pretraining({ mlmProbability: 0.2 }).name === "pretraining");
 * ```
 */
export const pretraining: Factory<"collator", Partial<MaskedTextOptions>> = define({
  kind: "collator",
  name: NAME,
  schema: maskedTextSchema,
  create: (options) => ({
    columns: readColumns(options.columns, { texts: ["sentences"] }),
    encode: (
      row,
      index,
      context,
    ) => ("input_ids" in row ? [readyPair(row, index, context)] : pairs(row, index, options, context)),
    resample: (sample, random, context) => {
      const pair = sample.metadata as Pair | undefined;
      return pair ? drawSample(sample, pair, random, options, context) : sample;
    },
  }),
});

function pairs(row: Row, index: number, { columns }: MaskedTextOptions, context: CollatorContext): Sample[] {
  const column = columns.sentences ?? "sentences";
  const sentences = row[column];
  if (!(column in row)) throw missingColumn(NAME, row, index, column);
  if (!Array.isArray(sentences) || sentences.length < 2 || !sentences.every((s) => typeof s === "string")) {
    throw badValue(NAME, `row ${index}, column "${column}"`, sentences, "a list of at least two sentences");
  }
  const seen = documents.get(context) ?? new Map<number, readonly string[]>();
  documents.set(context, seen.set(index, sentences));
  return sentences.slice(1).map((second, i) => ({
    sequences: [{ length: 0, fields: {} }],
    targets: {},
    row: index,
    metadata: { first: sentences[i] ?? "", second } satisfies Pair,
  }));
}

/** Name of the sample's random stream for masks. */
const MASKS = "masks";

function drawSample(
  sample: Sample,
  pair: Pair,
  random: Random,
  options: MaskedTextOptions,
  context: CollatorContext,
): Sample {
  const { tokenizer, maxLength, requiresLabels: labelled } = context;
  const follows = !labelled || random.uniform(0) < 0.5;
  const [first, textPair] = follows
    ? [pair.first, pair.second]
    : context.sentencePairs === "order"
    ? [pair.second, pair.first]
    : [pair.first, otherSentence(sample.row, random, context)];
  const [encoding] = tokenizer.encode(first, { textPair, maxLength, truncation: maxLength !== undefined });
  const { inputIds, labels } = maskSample(maskableWords(encoding), random.fork(MASKS), options, context);
  const fields: Record<string, Field> = {
    ...tokenFields(tokenizer, labelled ? inputIds : encoding.ids, encoding.typeIds),
    ...(labelled ? { labels: labelField(labels) } : {}),
  };
  const target = Int32Array.of(follows ? FOLLOWS : STRANGER);
  return {
    sequences: [{ length: encoding.ids.length, fields }],
    targets: labelled ? { next_sentence_label: { axis: "sample", data: target, padValue: -100 } } : {},
    row: sample.row,
  };
}

/** Draws a sentence from another document. */
function otherSentence(row: number, random: Random, context: CollatorContext): string {
  const others = [...documents.get(context) ?? []].filter(([index]) => index !== row);
  const [, sentences] = others[Math.floor(random.uniform(1) * others.length)] ?? [];
  if (!sentences) {
    throw badValue(NAME, "data", "one document", "at least two, for pairs that do not belong together");
  }
  return sentences[Math.floor(random.uniform(2) * sentences.length)] ?? "";
}

function readyPair(row: Row, index: number, context: CollatorContext): Sample {
  const sample = readyMadeSample(row, index, context);
  if (!context.requiresLabels) return sample;
  const column = "sentence_order_label" in row ? "sentence_order_label" : "next_sentence_label";
  const label = row[column];
  if (label !== FOLLOWS && label !== STRANGER) {
    throw badValue(NAME, `row ${index}, column "${column}"`, label, "0 (it follows) or 1 (it does not)");
  }
  const target: Field = { axis: "sample", data: Int32Array.of(label), padValue: -100 };
  return { ...sample, targets: { next_sentence_label: target } };
}

/**
 * Removes parts of texts, which the model learns to restore: the pretraining of T5 and BART.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { badValue, missing } from "../../core/base/errors.ts";
import type { CollatorContext, Factory, Random, Row, Sample, Tokenizer } from "../../core/types.ts";
import { readColumns, textOf, tokenFields } from "../../blocks/collator/mod.ts";
import { sequencePair } from "./seq2seq.ts";
import { corruptSpans, infillText, longestNoiseSource, permuteSentences } from "../../blocks/collator/mod.ts";

/** Options of {@link denoising}. */
export interface DenoisingOptions {
  /**
   * Spans become sentinels, and the target is the spans (T5); or they become masks, and the target is the whole text
   * (BART).
   */
  readonly kind: "span-corruption" | "text-infilling";
  /** Share of the tokens that are removed. */
  readonly noiseDensity: number;
  /** Mean length of a span, in tokens. */
  readonly meanNoiseSpanLength: number;
  /** Share of the sentences that are shuffled before spans are removed (BART). */
  readonly permuteSentenceRatio: number;
  /** Names of the columns, if they differ. */
  readonly columns: Readonly<Record<string, string>>;
}

/**
 * `text` → input_ids with spans removed, and labels with the removed text, drawn anew in each epoch. A text that is too
 * long becomes several samples.
 *
 * @throws AttuneError from `encode` if a text has fewer than two tokens or the tokenizer lacks tokens that replace
 * spans.
 * @example
 * ```ts
 * import { denoising } from "attune/collators/denoising";
 * console.assert(denoising({ noiseDensity: 0.3 }).name === "denoising");
 * ```
 */
export const denoising: Factory<"collator", Partial<DenoisingOptions>> = define({
  kind: "collator",
  name: "denoising",
  schema: v.pipe(
    v.strictObject({
      kind: v.optional(v.picklist(["span-corruption", "text-infilling"]), "span-corruption"),
      noiseDensity: v.optional(v.pipe(v.number(), v.gtValue(0), v.ltValue(1)), 0.15),
      meanNoiseSpanLength: v.optional(v.pipe(v.number(), v.minValue(1)), 3),
      permuteSentenceRatio: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), 0),
      columns: v.optional(v.record(v.string(), v.string()), {}),
    }),
    v.check(
      ({ kind, permuteSentenceRatio }) => kind === "text-infilling" || permuteSentenceRatio === 0,
      "permuteSentenceRatio 0 for span corruption",
    ),
  ),
  create: (options: DenoisingOptions) => ({
    columns: readColumns(options.columns, { texts: ["text"] }),
    encode: (row, index, context) => pieces(row, index, options, context),
    resample: (sample, random, context) => drawSample(sample, random, options, context),
  }),
});

/** Returns pieces of a row's tokens, before corruption, that fit after corruption. */
function pieces(row: Row, index: number, o: DenoisingOptions, { tokenizer, maxLength }: CollatorContext): Sample[] {
  const text = textOf("denoising", row, index, o.columns.text ?? "text");
  const [{ ids }] = tokenizer.encode(text, { addSpecialTokens: false, offsets: false });
  if (ids.length < 2) throw badValue("denoising", `row ${index}`, text, "a text of at least two tokens");
  const [before, after] = around(tokenizer);
  const room = maxLength === undefined
    ? ids.length
    : o.kind === "span-corruption"
    ? longestNoiseSource(maxLength - 1, o.noiseDensity, o.meanNoiseSpanLength)
    : maxLength - before.length - after.length;
  if (room < 2) throw badValue("denoising", "training.maxLength", maxLength, "room for two tokens of text");
  const samples: Sample[] = [];
  for (let start = 0; start < ids.length; start += room) {
    const data = ids.slice(start, start + room);
    // The last piece may be too short for a span and another token.
    if (data.length < 2) continue;
    const fields = tokenFields(tokenizer, data);
    samples.push({ sequences: [{ length: data.length, fields }], targets: {}, row: index });
  }
  return samples;
}

function drawSample(sample: Sample, random: Random, o: DenoisingOptions, context: CollatorContext): Sample {
  const { tokenizer } = context;
  const ids = sample.sequences[0]?.fields.input_ids?.data as Int32Array;
  const share = { noiseDensity: o.noiseDensity, meanNoiseSpanLength: o.meanNoiseSpanLength };
  const [before, after] = around(tokenizer);
  if (o.kind === "span-corruption") {
    const { input, target } = corruptSpans(ids, sentinelsOf(tokenizer), random, share);
    const end = after.slice(-1);
    return sequencePair(Int32Array.from([...input, ...end]), Int32Array.from([...target, ...end]), sample.row, context);
  }
  const { mask } = tokenizer.specialTokenIds;
  if (mask === undefined) throw missing("denoising", "a mask token", "the tokenizer");
  const withSpecialTokens = (part: ArrayLike<number>): Int32Array =>
    Int32Array.from([...before, ...Array.from(part), ...after]);
  const { permuteSentenceRatio: ratio } = o;
  const source = ratio === 0 ? ids : permuteSentences(ids, fullStopOf(tokenizer), random, ratio);
  return sequencePair(
    withSpecialTokens(infillText(source, mask, random, share)),
    withSpecialTokens(ids),
    sample.row,
    context,
  );
}

/** Returns the token of a full stop after a word. Throws AttuneError if the tokenizer has none. */
function fullStopOf(tokenizer: Tokenizer): number {
  const [{ ids }] = tokenizer.encode("a.", { addSpecialTokens: false, offsets: false });
  const id = ids.at(-1);
  if (id === undefined || ids.length < 2 || id === tokenizer.specialTokenIds.unk) {
    throw missing("denoising", "a token for the full stop", "the tokenizer");
  }
  return id;
}

/** Returns the special tokens before and after a text. */
function around(tokenizer: Tokenizer): readonly [number[], number[]] {
  const [{ ids, specialTokensMask }] = tokenizer.encode("a", { offsets: false });
  const first = specialTokensMask.indexOf(0);
  const last = specialTokensMask.lastIndexOf(0);
  return [[...ids.subarray(0, Math.max(0, first))], [...ids.subarray(last + 1)]];
}

const cachedSentinels = new WeakMap<Tokenizer, readonly number[]>();

/** Returns <extra_id_0>, <extra_id_1>, ... for as many as the tokenizer has. */
function sentinelsOf(tokenizer: Tokenizer): readonly number[] {
  const cached = cachedSentinels.get(tokenizer) ?? [];
  if (cached.length > 0) return cached;
  const sentinels: number[] = [];
  for (;;) {
    const text = `<extra_id_${sentinels.length}>`;
    const [{ ids }] = tokenizer.encode(text, { addSpecialTokens: false, offsets: false });
    const [id] = ids;
    if (ids.length !== 1 || id === undefined || id === tokenizer.specialTokenIds.unk) break;
    sentinels.push(id);
  }
  if (sentinels.length === 0) throw missing("denoising", "sentinels (<extra_id_0>, ...)", "the tokenizer");
  cachedSentinels.set(tokenizer, sentinels);
  return sentinels;
}

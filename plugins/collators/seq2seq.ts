/**
 * Turns pairs of source and target text into samples of an encoder-decoder model.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { badValue, unsupported } from "../../core/base/errors.ts";
import { most } from "../../core/base/most.ts";
import type { CollatorContext, Factory, Field, Row, Sample } from "../../core/types.ts";
import { idsOf, optionalText, readColumns, textOf } from "../../blocks/collator/mod.ts";

/** Options of {@link seq2seq}. */
export interface Seq2seqOptions {
  /** The longest target in tokens; longer ones are cut. null: the same limit as for sources. */
  readonly maxTargetLength: number | null;
  /** Names of the columns, if they differ: `{ "source": "article" }`. */
  readonly columns: Readonly<Record<string, string>>;
}

/** The label value that losses ignore. */
const IGNORE = -100;

/**
 * `source`, `target` → input_ids, labels, and decoder_input_ids: the labels shifted right after the model's
 * `decoder_start_token_id`. Rows that have `input_ids` (and `labels`) are used unchanged.
 *
 * @throws AttuneError from `encode` if a column is missing or is not what it should be, naming row and column.
 * @example
 * ```ts
 * import { seq2seq } from "attune/collators/seq2seq";
 * console.assert(seq2seq({ maxTargetLength: 64 }).name === "seq2seq");
 * ```
 */
export const seq2seq: Factory<"collator", Partial<Seq2seqOptions>> = define({
  kind: "collator",
  name: "seq2seq",
  schema: v.strictObject({
    maxTargetLength: v.optional(
      v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.tokens))),
      null,
    ),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  }),
  create: (options: Seq2seqOptions) => ({
    oneEach: true,
    columns: readColumns(options.columns, { texts: ["source", "target"], optional: ["target"], learned: ["target"] }),
    encode: (row, index, context) => [encode(row, index, options, context)],
  }),
});

function encode(row: Row, index: number, o: Seq2seqOptions, context: CollatorContext): Sample {
  const { tokenizer, maxLength, requiresLabels: labelled } = context;
  if ("input_ids" in row) {
    const ids = idsOf("seq2seq", row, index, "input_ids");
    const labels = labelled || "labels" in row ? idsOf("seq2seq", row, index, "labels", IGNORE) : undefined;
    const decoder = "decoder_input_ids" in row ? idsOf("seq2seq", row, index, "decoder_input_ids") : undefined;
    return sequencePair(ids, labels, index, context, decoder);
  }
  const source = textOf("seq2seq", row, index, o.columns.source ?? "source");
  const column = o.columns.target ?? "target";
  const target = labelled ? textOf("seq2seq", row, index, column) : optionalText("seq2seq", row, index, column);
  const idsUpTo = (text: string, length: number | undefined): Int32Array =>
    tokenizer.encode(text, { maxLength: length, truncation: length !== undefined, offsets: false })[0].ids;
  const labels = target === undefined ? undefined : idsUpTo(target, o.maxTargetLength ?? maxLength);
  return sequencePair(idsUpTo(source, maxLength), labels, index, context);
}

/**
 * Returns a sample of token ids for both sides. Without labels the decoder has only its start token.
 *
 * @throws AttuneError if a side is empty, or the model has no decoder.
 */
export function sequencePair(
  ids: Int32Array,
  labels: Int32Array | undefined,
  index: number,
  { tokenizer, modelType, decoderStartTokenId: decoderStart, requiresLabels: labelled }: CollatorContext,
  decoder?: Int32Array,
): Sample {
  if (decoderStart === undefined) {
    throw unsupported("seq2seq", "model_type", modelType, "this task needs an encoder-decoder model");
  }
  const pad = tokenizer.specialTokenIds.pad ?? 0;
  const inputs = decoder ?? shiftRight(labels ?? Int32Array.of(IGNORE), decoderStart, pad);
  if (ids.length === 0 || inputs.length === 0 || (labels && labels.length !== inputs.length)) {
    const allowed = "at least one token on each side, and as many labels as decoder_input_ids";
    throw badValue("seq2seq", `row ${index}`, [ids.length, labels?.length, inputs.length], allowed);
  }
  const fields: Record<string, Field> = {
    input_ids: { axis: "token", data: ids, padValue: pad },
    decoder_input_ids: { axis: "decoderToken", data: inputs, padValue: pad },
  };
  if (labelled && labels) fields.labels = { axis: "decoderToken", data: labels, padValue: IGNORE, ignoreIndex: IGNORE };
  return { sequences: [{ length: ids.length, decoderLength: inputs.length, fields }], targets: {}, row: index };
}

/** Turns labels into decoder inputs: start token first, then labels, with padding in place of ignored ones. */
function shiftRight(labels: Int32Array, start: number, pad: number): Int32Array {
  return labels.map((_, i) => (i === 0 ? start : labels[i - 1] === IGNORE ? pad : labels[i - 1] ?? pad));
}

/**
 * Masks tokens of texts.
 * @module
 */
import { type MaskedTextOptions, maskedTextSchema } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import type { CollatorContext, Factory, Field, Row, Sample } from "../../core/types.ts";
import {
  idsOf,
  IGNORE,
  labelField,
  type Maskable,
  maskableWords,
  maskSample,
  readColumns,
  readyMade,
  textOf,
  tokenFields,
} from "../../blocks/collator/mod.ts";

const NAME = "masked-lm";

/**
 * `text` → input_ids with masks, and `labels` at the masks, drawn anew in each epoch. A text that is too long becomes
 * several samples. Rows that have `input_ids` and `labels` are used unchanged.
 *
 * @throws AttuneError if a column is missing, or the tokenizer has no mask token.
 * @example
 * ```ts
 * import { maskedLm } from "attune/collators/masked-lm";
 * console.assert(maskedLm({ wholeWordMask: true }).name === "masked-lm");
 * ```
 */
export const maskedLm: Factory<"collator", Partial<MaskedTextOptions>> = define({
  kind: "collator",
  name: NAME,
  schema: maskedTextSchema,
  create: (options) => ({
    columns: readColumns(options.columns, { texts: ["text"] }),
    encode: (row, index, context) =>
      "input_ids" in row ? [readyMadeSample(row, index, context)] : samplesOf(row, index, options, context),
    resample: (sample, random, context) => {
      const [sequence] = sample.sequences;
      const about = sample.metadata as Maskable | undefined;
      if (!about || !sequence || !context.requiresLabels) return sample;
      const { inputIds, labels } = maskSample(about, random, options, context);
      const fields: Record<string, Field> = { ...sequence.fields, labels: labelField(labels) };
      fields.input_ids = { axis: "token", data: inputIds, padValue: sequence.fields.input_ids?.padValue ?? 0 };
      return { ...sample, sequences: [{ ...sequence, fields }] };
    },
  }),
});

function samplesOf(
  row: Row,
  index: number,
  { columns }: MaskedTextOptions,
  { tokenizer, maxLength }: CollatorContext,
): Sample[] {
  const text = textOf(NAME, row, index, columns.text ?? "text");
  const windows = tokenizer.encode(text, {
    maxLength,
    truncation: maxLength !== undefined,
    returnOverflowingTokens: true,
  });
  return windows.map((encoding) => ({
    sequences: [{
      length: encoding.ids.length,
      fields: tokenFields(tokenizer, encoding.ids, encoding.typeIds),
    }],
    targets: {},
    row: index,
    metadata: maskableWords(encoding),
  }));
}

/** Returns the sample of a row that is masked already. */
export function readyMadeSample(
  row: Row,
  index: number,
  { tokenizer, requiresLabels: labelled }: CollatorContext,
): Sample {
  const fields = readyMade(NAME, row, index, tokenizer);
  const length = fields.input_ids?.data.length ?? 0;
  if (labelled) {
    const labels = idsOf(NAME, row, index, "labels", IGNORE);
    if (labels.length !== length) {
      throw badValue(NAME, `row ${index}, column "labels"`, labels.length, `${length} labels, one per token`);
    }
    fields.labels = labelField(labels);
  }
  return { sequences: [{ length, fields }], targets: {}, row: index };
}

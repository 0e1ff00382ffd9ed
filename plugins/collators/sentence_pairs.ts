/**
 * Two texts to compare, as separate sequences.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import type { CollatorContext, Factory, Field, Sample } from "../../core/types.ts";
import {
  applyPrompt,
  missingColumn,
  optionalText,
  readColumns,
  textOf,
  tokenFields,
  unquote,
} from "../../blocks/collator/mod.ts";

/** Options of {@link sentencePairs}. */
export interface SentencePairsOptions {
  /** Text to put before every text. */
  readonly prompt: string;
  /** Whether to lowercase texts before tokenizing. */
  readonly lowercase: boolean;
  /** Names of the columns, if they differ: `{ "text": "sentence1" }`. */
  readonly columns: Readonly<Record<string, string>>;
}

const NAME = "sentence-pairs";

/**
 * `text`, `textPair` → a sample of two sequences; `score` is the target `labels`. Without labels `textPair` may be
 * missing: the text is then paired with itself, to get its embedding.
 *
 * @throws AttuneError from `encode` if a column is missing or is not what it should be.
 * @example
 * ```ts
 * import { sentencePairs } from "attune/collators/sentence-pairs";
 * console.assert(sentencePairs({ columns: { text: "sentence1" } }).name === "sentence-pairs");
 * ```
 */
export const sentencePairs: Factory<"collator", Partial<SentencePairsOptions>> = define({
  kind: "collator",
  name: NAME,
  schema: v.strictObject(
    {
      prompt: v.optional(v.string(), ""),
      lowercase: v.optional(v.boolean(), false),
      columns: v.optional(v.record(v.string(), v.string()), {}),
    },
  ),
  create: (options: SentencePairsOptions) => ({
    oneEach: true,
    columns: readColumns(options.columns, { texts: ["text", "textPair"], optional: ["textPair"], others: ["score"] }),
    encode: (row, index, context) => {
      const { columns } = options;
      const first = textOf(NAME, row, index, columns.text ?? "text");
      const column = columns.textPair ?? "textPair";
      const second = context.requiresLabels ? textOf(NAME, row, index, column) : optionalText(NAME, row, index, column);
      const sequences = [first, second ?? first].map((text) => sequenceOf(applyPrompt(text, options), context));
      if (!context.requiresLabels) {
        return [{ sequences, targets: {}, row: index, metadata: { alone: second === undefined } }];
      }
      const score = unquote(row[columns.score ?? "score"]);
      if (score === undefined) throw missingColumn(NAME, row, index, columns.score ?? "score");
      if (typeof score !== "number" || !Number.isFinite(score)) {
        throw badValue(NAME, `row ${index}, column "${columns.score ?? "score"}"`, score, "a finite number");
      }
      const labels: Field = { axis: "sample", data: Float32Array.of(score), padValue: 0 };
      return [{ sequences, targets: { labels }, row: index }];
    },
  }),
});

function sequenceOf(text: string, { tokenizer, maxLength }: CollatorContext): Sample["sequences"][number] {
  const truncation = maxLength !== undefined;
  const [{ ids, typeIds }] = tokenizer.encode(text, { maxLength, truncation, offsets: false });
  return {
    length: ids.length,
    fields: tokenFields(tokenizer, ids, typeIds),
  };
}

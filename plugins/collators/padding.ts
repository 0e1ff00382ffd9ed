/**
 * Turns labelled texts (or pairs of texts) into samples, which core pads or packs into rows.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import type { CollatorContext, Factory, Field, Row, RowSurvey, Sample } from "../../core/types.ts";
import {
  applyPrompt,
  classesOf,
  missingColumn,
  optionalText,
  readColumns,
  readyMade,
  textOf,
  tokenFields,
  unquote,
} from "../../blocks/collator/mod.ts";

/** Options of {@link padding}. */
export interface PaddingOptions {
  /** The kind of label: one class, several labels, a number, or none. */
  readonly problemType: "single-label" | "multi-label" | "regression" | "none";
  /** Names of the classes, in order of their ids. */
  readonly labels: readonly string[];
  /** Values per row of a regression. */
  readonly numLabels: number;
  /** Text to put before every text. */
  readonly prompt: string;
  /** Whether to lowercase texts before tokenizing. */
  readonly lowercase: boolean;
  /** Names of the columns, if they differ: `{ "text": "sentence" }`. */
  readonly columns: Readonly<Record<string, string>>;
}

/**
 * `text`, optional `textPair`, `label` (or `labels`) → input_ids, token_type_ids and the target `labels`. Rows that
 * have `input_ids` are used unchanged.
 *
 * @throws AttuneError from `encode` if a column is missing or a label is unknown, naming row, column and value.
 * @example
 * ```ts
 * import { padding } from "attune/collators/padding";
 * console.assert(padding({ labels: ["no", "yes"] }).name === "padding");
 * ```
 */
export const padding: Factory<"collator", Partial<PaddingOptions>> = define({
  kind: "collator",
  name: "padding",
  schema: v.strictObject({
    problemType: v.optional(v.picklist(["single-label", "multi-label", "regression", "none"]), "single-label"),
    labels: v.optional(v.array(v.string()), []),
    numLabels: v.optional(v.number(), 1),
    prompt: v.optional(v.string(), ""),
    lowercase: v.optional(v.boolean(), false),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  }),
  create: (options: PaddingOptions) => {
    const classId = classesOf("padding", options.labels);
    return {
      oneEach: true,
      columns: readColumns(options.columns, {
        texts: ["text", "textPair"],
        optional: ["textPair"],
        others: ["label", "labels"],
        ...(["single-label", "multi-label"].includes(options.problemType)
          ? { classes: { label: options.labels, labels: options.labels } }
          : {}),
      }),
      ...(options.problemType === "multi-label" ? { survey: () => hotSurvey(options) } : {}),
      encode: (row, index, context) => {
        const fields = "input_ids" in row
          ? readyMade("padding", row, index, context.tokenizer)
          : tokenized(row, index, options, context);
        const length = fields.input_ids?.data.length ?? 0;
        const { hot = areHot([row], options) } = (context.reading ?? {}) as Readonly<{ hot?: boolean }>;
        const targets: Record<string, Field> = context.requiresLabels && options.problemType !== "none"
          ? { labels: target(row, index, options, { hot, classId }) }
          : {};
        const sample: Sample = { sequences: [{ length, fields }], targets, row: index };
        return [sample];
      },
    };
  },
});

/** Surveys whether all rows of a dataset have labels of zeros and ones. */
function hotSurvey(options: PaddingOptions): RowSurvey {
  let hot = true;
  return { add: (row) => void (hot &&= areHot([row], options)), end: () => ({ reading: { hot } }) };
}

/**
 * Whether a column of several labels has a 0 or 1 for each class in all rows, as transformers expects; otherwise it
 * lists names or numbers of classes.
 */
function areHot(rows: readonly Row[], options: PaddingOptions): boolean {
  const { labels } = options;
  return rows.every((row) => {
    const value = row[columnOf(row, options)];
    return Array.isArray(value) && value.length === labels.length &&
      value.every((x) => x === 0 || x === 1 || (typeof x === "boolean" && !labels.includes(String(x))));
  });
}

function columnOf(row: Row, { problemType, columns }: PaddingOptions): string {
  if (columns.label !== undefined) return columns.label;
  return problemType === "multi-label" ? columns.labels ?? "labels" : "label" in row ? "label" : "labels";
}

/** How labels are read. */
type Reading = Readonly<{ hot: boolean; classId: ReturnType<typeof classesOf> }>;

function tokenized(
  row: Row,
  index: number,
  options: PaddingOptions,
  { tokenizer, maxLength }: CollatorContext,
): Record<string, Field> {
  const { columns } = options;
  const text = applyPrompt(textOf("padding", row, index, columns.text ?? "text"), options);
  const textPair = optionalText("padding", row, index, columns.textPair ?? "textPair");
  const [encoding] = tokenizer.encode(text, {
    textPair,
    maxLength,
    truncation: maxLength !== undefined,
    offsets: false,
  });
  return tokenFields(tokenizer, encoding.ids, encoding.typeIds);
}

function target(row: Row, index: number, options: PaddingOptions, { hot, classId }: Reading): Field {
  const { problemType, labels, numLabels, columns } = options;
  const column = columnOf(row, options);
  if (!(column in row)) throw missingColumn("padding", row, index, columns.label ?? "label");
  const value = row[column];
  const at = `row ${index}, column "${column}"`;
  if (problemType === "regression") {
    const values = (Array.isArray(value) ? value : [value]).map(unquote);
    if (values.length !== numLabels || !values.every((x) => typeof x === "number" && Number.isFinite(x))) {
      throw badValue("padding", at, value, numLabels === 1 ? "a finite number" : `${numLabels} finite numbers`);
    }
    return { axis: "sample", data: Float32Array.from(values), padValue: 0, size: numLabels };
  }
  if (problemType === "single-label") {
    return { axis: "sample", data: Int32Array.of(classId(value, at)), padValue: -100 };
  }
  if (!Array.isArray(value)) throw badValue("padding", at, value, "a list of labels");
  if (hot) return { axis: "sample", data: Float32Array.from(value, Number), padValue: 0, size: labels.length };
  const ids = value.map((label) => classId(label, at));
  if (new Set(ids).size < ids.length) {
    const wanted = `labels without repeats, or a 0 or 1 for each of ${labels.length} in every row`;
    throw badValue("padding", at, value, wanted);
  }
  const bits = new Float32Array(labels.length);
  for (const id of ids) bits[id] = 1;
  return { axis: "sample", data: bits, padValue: 0, size: labels.length };
}

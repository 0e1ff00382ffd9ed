/**
 * Cleans texts.
 * @module
 */
import * as v from "valibot";
import {
  applyEdits,
  asChangedText,
  type ChangedText,
  changeRow,
  checkColumns,
  eachRow,
  failedRule,
  gopher,
  lowered,
  normalizeForm,
  openExpression,
  placeOf,
  type QualityLimits,
  type RowChange,
  textColumns,
  textIn,
  thenChanged,
  tidySpaces,
  type UnicodeForm,
  withoutControl,
  withoutHtml,
} from "../../blocks/transform/mod.ts";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { AttuneError } from "../../core/base/errors.ts";
import type { Factory, Row, RowColumns, TransformRow } from "../../core/types.ts";

/** Options of {@link clean}. */
export interface CleanOptions {
  /** The Unicode normalization form. null: none. */
  readonly unicode: UnicodeForm | null;
  /** Whether to remove HTML tags and decode character references. */
  readonly html: boolean;
  /** Whether to remove control characters and invisible characters. */
  readonly control: boolean;
  /** Whether to collapse white space, trim lines, and leave one empty line between paragraphs. */
  readonly whitespace: boolean;
  /** Whether to lowercase texts. */
  readonly lowercase: boolean;
  /** Pairs of a regular expression in RE2's syntax and a replacement, applied in order; `$1` is a group. */
  readonly replace: readonly (readonly [string, string])[];
  /** What to do with a row without text, or whose text is empty after cleaning: raise an error, drop it, or fill it. */
  readonly missing: "error" | "drop" | Readonly<{ fill: string }>;
  /** Quality rules that texts must meet: Gopher's, or some of them by name. null: none. */
  readonly quality: "gopher" | QualityLimits | null;
  /** The columns whose texts are changed. null: those of the task. */
  readonly columns: readonly string[] | null;
}

type Input = Partial<CleanOptions>;

const limit = v.optional(v.nullable(v.pipe(v.number(), v.minValue(0))));
const pairs = v.optional(
  v.nullable(v.array(v.tuple([v.pipe(v.number(), v.integer(), v.minValue(1)), v.pipe(v.number(), v.minValue(0))]))),
);
const limits = v.strictObject({
  minDocWords: limit,
  maxDocWords: limit,
  minAvgWordLength: limit,
  maxAvgWordLength: limit,
  maxSymbolWordRatio: limit,
  maxBulletLinesRatio: limit,
  maxEllipsisLinesRatio: limit,
  maxNonAlphaWordsRatio: limit,
  minStopWords: limit,
  stopWords: v.optional(v.nullable(v.array(v.string()))),
  dupLineFrac: limit,
  dupParaFrac: limit,
  dupLineCharFrac: limit,
  dupParaCharFrac: limit,
  topNGrams: pairs,
  dupNGrams: pairs,
});
const flag = (byDefault: boolean) => v.optional(v.boolean(), byDefault);

const NAME = "clean";

/**
 * Texts without HTML and control characters, with normalized Unicode; then lowercased and with replacements, if asked
 * for; finally without superfluous white space. Rows without text are an error, dropped or filled; those that fail a
 * quality rule are dropped. SQuAD's answers move with their context; a word that becomes empty is removed with its tag.
 *
 * @throws AttuneError if a text is missing, an expression cannot be read, or nothing is left of an answer.
 * @example
 * ```ts
 * import { clean } from "attune/transforms/clean";
 * console.assert(clean({ missing: "drop", replace: [["https?://[^ ]+", ""]] }).scope === "row");
 * ```
 */
export const clean: Factory<"transform", Input> = define({
  kind: "transform",
  name: NAME,
  schema: v.strictObject({
    unicode: v.optional(v.nullable(v.picklist(["NFC", "NFD", "NFKC", "NFKD"])), "NFC"),
    html: flag(true),
    control: flag(true),
    whitespace: flag(true),
    lowercase: flag(false),
    replace: v.optional(role(v.array(v.tuple([v.string(), v.string()])), { role: "pattern" }), []),
    missing: v.optional(v.union([v.picklist(["error", "drop"]), v.strictObject({ fill: v.string() })]), "error"),
    quality: v.optional(v.nullable(v.union([v.literal("gopher"), limits])), null),
    columns: v.optional(v.nullable(role(v.array(v.string()), { role: "column" })), null),
  }) as v.GenericSchema<Input, CleanOptions>,
  create: (options: CleanOptions) => ({
    scope: "row",
    apply: async function* (rows, context) {
      const { quality, missing, columns } = options;
      const texts = textColumns(NAME, columns, context);
      const places = { ...context.columns, texts };
      const steps = await openSteps(options);
      const rules = quality === "gopher" ? gopher : quality;
      yield* eachRow(rows, context, (item): RowChange => {
        if ("input_ids" in item.row && columns === null) return {};
        const reasons = new Set<string>();
        const cleaned = changeRow(NAME, item, places, (text) => cleanedText(text, steps, reasons));
        const lacking = missingColumns(item, cleaned, options, context.columns);
        if (lacking.length > 0 && missing === "drop") return { drop: "missing" };
        if (lacking.length > 0 && missing === "error") throw missingText(item, lacking[0] ?? "");
        const filled = typeof missing === "object" && lacking.length > 0
          ? { ...cleaned, ...Object.fromEntries(lacking.map((column) => [column, missing.fill])) }
          : cleaned;
        if (filled !== cleaned) reasons.add("filled");
        const failed = rules && failedBy(filled, texts, rules);
        if (failed) return { drop: failed };
        return filled === item.row ? {} : { row: filled, reasons: [...reasons] };
      });
    },
  }),
});

/** A cleaning step, named after its option. */
type Step = Readonly<{ name: string; change(text: string): ChangedText }>;

async function openSteps(options: CleanOptions): Promise<readonly Step[]> {
  const { unicode, html, control, whitespace, lowercase, replace } = options;
  const steps: Step[] = [];
  if (html) steps.push({ name: "html", change: withoutHtml });
  if (control) steps.push({ name: "control", change: withoutControl });
  if (unicode) steps.push({ name: "unicode", change: (text) => normalizeForm(text, unicode) });
  if (lowercase) steps.push({ name: "lowercase", change: lowered });
  for (const [i, [source, by]] of replace.entries()) {
    const expression = await openExpression(NAME, `replace.${i}.0`, source);
    steps.push({ name: "replace", change: (text) => applyEdits(text, expression.edits(text, by)) });
  }
  if (whitespace) steps.push({ name: "whitespace", change: tidySpaces });
  return steps;
}

function cleanedText(text: string, steps: readonly Step[], reasons: Set<string>): ChangedText {
  return steps.reduce((sofar, { name, change }) => {
    const next = thenChanged(sofar, change);
    if (next !== sofar) reasons.add(name);
    return next;
  }, asChangedText(text));
}

const isMissing = (value: unknown): boolean =>
  value === undefined || value === null || Number.isNaN(value) ||
  ((typeof value === "string" || Array.isArray(value)) && textIn(value).trim() === "");

/** Returns the columns of a row without text. Some of the task's columns may be absent, but not all of them. */
function missingColumns(
  item: TransformRow,
  row: Row,
  { columns }: CleanOptions,
  known: RowColumns | undefined,
): readonly string[] {
  if (columns !== null) {
    checkColumns(NAME, item, columns);
    return columns.filter((column) => isMissing(row[column]));
  }
  const { texts = [], optional = [] } = known ?? {};
  const lacking = texts.filter((column) => isMissing(row[column]));
  if (lacking.length === texts.length) return lacking.slice(0, 1);
  return lacking.filter((column) => !optional.includes(column));
}

function missingText(item: TransformRow, column: string): AttuneError {
  const message = `${placeOf(item)}, column "${column}": there is no text, or none is left ` +
    '(`missing: "drop"` drops such rows, `missing: { "fill": text }` fills them)';
  return new AttuneError(message, {
    code: "BAD_OPTION",
    plugin: NAME,
    path: column,
    found: item.row[column],
    allowed: ["a text"],
  });
}

function failedBy(row: Row, texts: readonly string[], rules: QualityLimits): string | undefined {
  for (const column of texts) {
    if (!Object.hasOwn(row, column)) continue;
    const failed = failedRule(textIn(row[column]), rules);
    if (failed) return failed;
  }
  return undefined;
}

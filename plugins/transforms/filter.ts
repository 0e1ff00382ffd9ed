/**
 * Filters rows by conditions.
 * @module
 */
import * as v from "valibot";
import { columnOf, eachRow, type Expression, lengthOf, openExpression, textIn } from "../../blocks/transform/mod.ts";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { badValue, unknownName } from "../../core/base/errors.ts";
import { asNumber } from "../../core/data/class_reader.ts";
import type { Factory, Tokenizer, TransformContext, TransformRow } from "../../core/types.ts";

/** Options of {@link filter}: conditions, all of which a row has to fulfil. */
export interface FilterOptions {
  /** The column to check. null: the first of the task's text columns that the row has. */
  readonly column: string | null;
  /** The value, as JSON; a number equals its text. */
  readonly equals?: unknown;
  /** A list of values, one of which must match. */
  readonly in?: readonly unknown[];
  /** A regular expression in RE2's syntax that must match somewhere in the text, in linear time. */
  readonly matches?: string;
  /** The smallest number of characters (code points). */
  readonly minLength?: number;
  /** The largest number of characters (code points). */
  readonly maxLength?: number;
  /** The smallest number of tokens, including special ones. */
  readonly minTokens?: number;
  /** The largest number of tokens, including special ones. */
  readonly maxTokens?: number;
  /** The language of the text as an ISO 639-1 code, or a list of codes. */
  readonly language?: string | readonly string[];
  /** Whether to keep the rows that do not meet the conditions instead. */
  readonly not: boolean;
}

type Input = Partial<FilterOptions>;

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const conditions = ["equals", "in", "matches", "minLength", "maxLength", "minTokens", "maxTokens", "language"] as const;

const NAME = "filter";

/**
 * The rows that meet all conditions, or with `not`, those that do not. The report counts dropped rows by the first
 * condition that they fail.
 *
 * @throws AttuneError if a row lacks the column, an expression cannot be read, or a language is unknown.
 * @example
 * ```ts
 * import { filter } from "attune/transforms/filter";
 * console.assert(filter({ column: "text", matches: "^[A-Z]", maxLength: 500 }).scope === "row");
 * ```
 */
export const filter: Factory<"transform", Input> = define({
  kind: "transform",
  name: NAME,
  schema: v.pipe(
    v.strictObject({
      column: v.optional(v.nullable(role(v.pipe(v.string(), v.nonEmpty()), { role: "column" })), null),
      equals: v.optional(v.unknown()),
      in: v.optional(v.array(v.unknown())),
      matches: v.optional(role(v.string(), { role: "pattern" })),
      minLength: v.optional(count),
      maxLength: v.optional(count),
      minTokens: v.optional(count),
      maxTokens: v.optional(count),
      language: v.optional(v.union([v.string(), v.array(v.string())])),
      not: v.optional(v.boolean(), false),
    }),
    v.check(
      (options) => conditions.some((name) => options[name] !== undefined),
      `one of the conditions ${conditions.join(", ")}`,
    ),
    v.check(
      ({ minLength = 0, maxLength = Infinity, minTokens = 0, maxTokens = Infinity }) =>
        minLength <= maxLength && minTokens <= maxTokens,
      "a minimum that is not above the maximum",
    ),
  ) as v.GenericSchema<Input, FilterOptions>,
  create: (options: FilterOptions) => ({
    scope: "row",
    apply: async function* (rows, context) {
      const tests = await openTests(options, context);
      yield* eachRow(rows, context, (item) => {
        const value = valueOf(item, options.column, context);
        const failed = tests.find(({ holds }) => !holds(value))?.name;
        if (options.not) return failed === undefined ? { drop: "not" } : {};
        return failed === undefined ? {} : { drop: failed };
      });
    },
  }),
});

function valueOf(item: TransformRow, column: string | null, { columns }: TransformContext): unknown {
  if (column !== null) return columnOf(NAME, item, column);
  if (!columns) throw badValue(NAME, "column", null, "the name of a column, because no task says which to use");
  const found = columns.texts.find((name) => Object.hasOwn(item.row, name));
  return columnOf(NAME, item, found ?? columns.texts[0] ?? "text");
}

/** A condition by name. */
type Test = Readonly<{ name: string; holds(value: unknown): boolean }>;

async function openTests(options: FilterOptions, context: TransformContext): Promise<readonly Test[]> {
  const { equals, in: among, matches, minLength, maxLength, minTokens, maxTokens, language } = options;
  const tests: Test[] = [];
  const add = (name: string, holds: Test["holds"]): void => void tests.push({ name, holds });
  if (equals !== undefined) add("equals", (value) => isSame(value, equals));
  if (among) add("in", (value) => among.some((one) => isSame(value, one)));
  if (minLength !== undefined) add("minLength", (value) => lengthOf(textIn(value)) >= minLength);
  if (maxLength !== undefined) add("maxLength", (value) => lengthOf(textIn(value)) <= maxLength);
  if (matches !== undefined) {
    const expression: Expression = await openExpression(NAME, "matches", matches);
    add("matches", (value) => expression.isIn(textIn(value)));
  }
  if (language !== undefined) {
    const isOf = await languageTest([language].flat());
    add("language", (value) => isOf(textIn(value)));
  }
  if (minTokens !== undefined || maxTokens !== undefined) {
    const tokenizer = await context.tokenizer();
    if (minTokens !== undefined) add("minTokens", (value) => tokensOf(tokenizer, value) >= minTokens);
    if (maxTokens !== undefined) add("maxTokens", (value) => tokensOf(tokenizer, value) <= maxTokens);
  }
  return tests;
}

/** Whether two values are the same: text files have numbers as text, 1 as "1" or "1.0". */
function isSame(value: unknown, wanted: unknown): boolean {
  if (typeof value === "number" || typeof wanted === "number") {
    const number = asNumber(value);
    return number !== undefined && number === asNumber(wanted);
  }
  const isPlain = (one: unknown): boolean =>
    typeof one === "number" || typeof one === "string" || typeof one === "boolean";
  if (isPlain(value) && isPlain(wanted)) return String(value) === String(wanted);
  return JSON.stringify(value) === JSON.stringify(wanted);
}

const tokensOf = (tokenizer: Tokenizer, value: unknown): number =>
  tokenizer.encode(textIn(value), { offsets: false })[0].ids.length;

async function languageTest(wanted: readonly string[]): Promise<(text: string) => boolean> {
  const { detect, supportedLanguages, toISO2 } = await import("tinyld");
  // The list has three-letter codes; detection returns two-letter codes where they exist.
  const known = [...new Set(supportedLanguages.flatMap((code: string) => [code, toISO2(code)]))];
  for (const code of wanted) {
    if (!known.includes(code)) throw unknownName(NAME, "language", "language", code, known);
  }
  const codes = new Set(wanted.map((code) => toISO2(code)));
  return (text) => codes.has(detect(text));
}

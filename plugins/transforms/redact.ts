/**
 * Replaces personal data in texts.
 * @module
 */
import * as v from "valibot";
import {
  applyEdits,
  changeRow,
  changeWordsTogether,
  checkColumns,
  eachRow,
  type Edit,
  type Expression,
  openExpression,
  type PersonalKind,
  personalKinds,
  personalSpans,
  textColumns,
} from "../../blocks/transform/mod.ts";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory, Row, RowColumns } from "../../core/types.ts";

/** Options of {@link redact}. */
export interface RedactOptions {
  /** What to look for. */
  readonly kinds: readonly PersonalKind[];
  /** Further regular expressions in RE2's syntax, by the name of what they find. */
  readonly patterns: Readonly<Record<string, string>>;
  /** The replacement: one text, or one per kind. null: the kind in brackets, such as "[EMAIL]". */
  readonly with: string | Readonly<Record<string, string>> | null;
  /** The columns whose texts are changed. null: those of the task. */
  readonly columns: readonly string[] | null;
}

type Input = Partial<RedactOptions>;

const NAME = "redact";

/**
 * Texts with replaced emails, phone numbers, IP addresses, card numbers (by the Luhn test) and IBANs (by length and
 * check digits). Where two overlap, the longer is replaced. Answers move with their context; if several words become
 * one, the first stays with its tag.
 *
 * @example
 * ```ts
 * import { redact } from "attune/transforms/redact";
 * console.assert(redact({ kinds: ["email"], patterns: { ticket: "[A-Z]{3}-[0-9]+" } }).scope === "row");
 * ```
 */
export const redact: Factory<"transform", Input> = define({
  kind: "transform",
  name: NAME,
  schema: v.pipe(
    v.strictObject({
      kinds: v.optional(v.array(v.picklist(personalKinds)), [...personalKinds]),
      patterns: v.optional(role(v.record(v.string(), v.string()), { role: "pattern" }), {}),
      with: v.optional(v.nullable(v.union([v.string(), v.record(v.string(), v.string())])), null),
      columns: v.optional(v.nullable(role(v.array(v.string()), { role: "column" })), null),
    }),
    v.check(
      ({ kinds, patterns, with: by }) =>
        typeof by !== "object" || by === null ||
        Object.keys(by).every((kind) => kinds.some((one) => one === kind) || Object.hasOwn(patterns, kind)),
      "a text in `with` for kinds and patterns alone that are looked for",
    ),
  ) as v.GenericSchema<Input, RedactOptions>,
  create: ({ kinds, patterns, with: by, columns }: RedactOptions) => {
    const textFor = (kind: string): string =>
      (typeof by === "string" ? by : by !== null && Object.hasOwn(by, kind) ? by[kind] : undefined) ??
        `[${kind.toUpperCase()}]`;
    return {
      scope: "row",
      apply: async function* (rows, context) {
        const texts = textColumns(NAME, columns, context);
        const expressions: (readonly [string, Expression])[] = [];
        for (const [name, source] of Object.entries(patterns)) {
          expressions.push([name, await openExpression(NAME, `patterns.${name}`, source)]);
        }
        yield* eachRow(rows, context, (item) => {
          checkColumns(NAME, item, columns);
          const matched = new Set<string>();
          const editsOf = (text: string): Edit[] => {
            const more = expressions.flatMap(([kind, one]) =>
              one.edits(text, "").map(({ from, to }) => ({ kind, from, to }))
            );
            return personalSpans(text, kinds, more).map(({ kind, from, to }) => {
              matched.add(kind);
              return { from, to, text: textFor(kind) };
            });
          };
          const [words, others] = wordColumns(item.row, texts, context.columns);
          const places = { ...context.columns, texts: others };
          let row = changeRow(NAME, item, places, (text) => applyEdits(text, editsOf(text)));
          for (const column of words) {
            const tags = Object.entries(context.columns?.parallel ?? {}).filter(([, of]) => of === column);
            const own = row[column] as readonly string[];
            const next = changeWordsTogether(row, column, own, tags.map(([name]) => name), editsOf);
            if (Object.keys(next).length > 0) row = { ...row, ...next };
          }
          return row === item.row ? {} : { row, reasons: [...matched] };
        });
      },
    };
  },
});

/** Returns the columns that are lists of words with tags, and the others. */
function wordColumns(
  row: Row,
  texts: readonly string[],
  columns: RowColumns | undefined,
): readonly [readonly string[], readonly string[]] {
  const tagged = new Set(Object.values(columns?.parallel ?? {}));
  const isWords = (name: string): boolean => {
    const value = row[name];
    return tagged.has(name) && Array.isArray(value) && value.every((word) => typeof word === "string");
  };
  return [texts.filter(isWords), texts.filter((name) => !isWords(name))];
}

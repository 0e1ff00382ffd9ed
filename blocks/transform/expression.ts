/** Regular expressions from users, matched in linear time whatever they are. */
import { badValue } from "../../core/base/errors.ts";
import type { Edit } from "./changed_text.ts";

/** A regular expression in RE2's syntax. */
export interface Expression {
  /** Whether it matches anywhere in a text. */
  isIn(text: string): boolean;
  /** Returns the replacement of each match, in order, by `by`, with $1 for a group and $0 for the whole match. */
  edits(text: string, by: string): Edit[];
}

/** Compiles an expression. Throws AttuneError that says what is wrong with it, and where. */
export async function openExpression(plugin: string, path: string, source: string): Promise<Expression> {
  const { RE2JS } = await import("re2js");
  const compile = () => {
    try {
      return RE2JS.compile(source, RE2JS.LOOKBEHINDS);
    } catch (error) {
      const problem = error instanceof Error ? error.message.replace(/^error parsing regexp: /, "") : String(error);
      throw badValue(
        plugin,
        path,
        source,
        `a regular expression in RE2's syntax, without look-ahead and back-references (${problem})`,
      );
    }
  };
  const pattern = compile();
  return {
    isIn: (text) => pattern.matcher(text).find(),
    edits: (text, by) => {
      const matcher = pattern.matcher(text);
      const edits: Edit[] = [];
      while (matcher.find()) {
        const put = by.replaceAll(
          /\$(\d|\$)/g,
          (_, group: string) =>
            group === "$" ? "$" : Number(group) <= matcher.groupCount() ? matcher.group(Number(group)) ?? "" : "",
        );
        const edit = { from: matcher.start(), to: matcher.end(), text: put };
        if (edit.to > edit.from || put !== "") edits.push(edit);
      }
      return edits;
    },
  };
}

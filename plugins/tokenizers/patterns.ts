/**
 * Regular expressions of tokenizer.json, written for Oniguruma, as JavaScript's.
 * @module
 */
import { badFile } from "../../core/errors.ts";
import { linearPattern, type Pattern } from "../../core/linear_pattern.ts";

/** `{ String }` or `{ Regex }` as a pattern for all matches. Throws AttuneError where it cannot be compiled. */
export function patternOf(pattern: unknown): Pattern {
  const { String: text, Regex: regex } = (pattern ?? {}) as { String?: string; Regex?: string };
  if (text !== undefined) return new RegExp(text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"), "gu");
  try {
    return linearPattern(translated(regex ?? ""));
  } catch (cause) {
    throw badFile(
      "hf",
      "tokenizer.json",
      `has the pattern ${regex}: ${cause instanceof Error ? cause.message : cause}`,
    );
  }
}

function translated(regex: string): string {
  return regex
    // Blanks are Unicode's, which JavaScript's \s is not quite.
    .replaceAll("\\s", "\\p{White_Space}").replaceAll("\\S", "\\P{White_Space}")
    .replaceAll("\\h", "[\\t\\p{Zs}]").replaceAll("\\A", "^").replaceAll(/\\[zZ]/g, "$")
    .replaceAll("\\/", "/").replaceAll(/\\(['"#@!%&~`:;<>=, _-])/g, (_, c) => (c === "-" ? "\\-" : c))
    // Not all runtimes have modifiers inside a pattern; letters in both cases are the same.
    .replaceAll(/\(\?i:((?:[^()\\]|\\.)*)\)/g, (_, inner: string) => `(?:${inner.replaceAll(/[a-z]/gi, bothCases)})`)
    .replaceAll(/\(\?[imsx]+\)/g, "");
}

function bothCases(letter: string): string {
  return `[${letter.toLowerCase()}${letter.toUpperCase()}]`;
}

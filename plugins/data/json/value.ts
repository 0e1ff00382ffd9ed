/** Values in JSON files, including Python's extensions. */
import { badFile } from "../../../core/base/errors.ts";

/** Strings, which are kept, and Python's numbers that JSON lacks. */
const PYTHON = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g;

/** Parses a value; Python's NaN and Infinity become null. Throws AttuneError with the place if it is not JSON. */
export function parseValue(plugin: string, text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    try {
      return JSON.parse(text.replace(PYTHON, (part) => (part.startsWith('"') ? part : "null")));
    } catch {
      throw badFile(plugin, where, `is not JSON (${cause instanceof Error ? cause.message : cause})`);
    }
  }
}

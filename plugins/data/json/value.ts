/** Values of JSON files, as people have them. */
import { badFile } from "../../../core/base/errors.ts";

/** Texts, which stay, and what Python writes where JSON has no number. */
const PYTHON = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g;

/** A value of a file; what Python writes as NaN or Infinity is null. Throws AttuneError that says where, if it is not JSON. */
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

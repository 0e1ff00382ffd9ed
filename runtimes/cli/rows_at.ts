/** Rows that a command line names. */
import { resolve } from "node:path";
import { spellOut } from "../../core/spec/plain_names.ts";
import type { Use } from "../../core/types.ts";

/** The rows of a file, as its name ends; without an ending that says otherwise, JSON lines. */
export function rowsAt(file: string): Use<"data"> {
  const path = resolve(file);
  const { use, with: options } = spellOut("data", path);
  return options ? { use, with: options } : { use: "jsonl", with: { path } };
}

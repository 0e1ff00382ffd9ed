/** Rows named on the command line. */
import { resolve } from "node:path";
import { spellOut } from "../../core/spec/plain_names.ts";
import type { Use } from "../../core/types.ts";

/** Returns the data plugin for a file, by the file's extension; JSON lines if that is unknown. */
export function rowsAt(file: string): Use<"data"> {
  const path = resolve(file);
  const { use, with: options } = spellOut("data", path);
  return options ? { use, with: options } : { use: "jsonl", with: { path } };
}

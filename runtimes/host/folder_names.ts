/** The names in a folder. */
import { readdirSync } from "node:fs";

/** Returns the names in a folder; undefined if there is no such folder. */
export function namesIn(folder: string): readonly string[] | undefined {
  try {
    return readdirSync(folder);
  } catch {
    return undefined;
  }
}

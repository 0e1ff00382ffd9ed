/** Where the reference files lie that a user's clone lacks: beside the repository. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Why a test that needs them is skipped. */
export const SKIP_REASON = "../shared is not beside this checkout";

/** The path of a file under ../shared, or undefined if it is absent. */
export function sharedPath(name: string): string | undefined {
  const path = fileURLToPath(new URL(`../../shared/${name}`, import.meta.url));
  return existsSync(path) ? path : undefined;
}

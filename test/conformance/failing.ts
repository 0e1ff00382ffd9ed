/** What fails of some checks. */
import type { Check } from "../../conformance/mod.ts";

/** Names of the checks that fail. */
export async function failing(checks: readonly Check[]): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, run } of checks) await run().catch(() => failed.push(name));
  return failed;
}

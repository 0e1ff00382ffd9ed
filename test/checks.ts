/** The checks of plugins as tests. */
import { describe, it } from "node:test";
import type { Check } from "../conformance/mod.ts";
import { sampled } from "./sampled.ts";

/** Each check is a test of its name. */
export function itPasses(title: string, checks: readonly Check[]): void {
  describe(title, () => {
    for (const check of checks) it(check.name, { skip: check.skipped !== undefined }, check.run);
  });
}

/** The same of plugins that only compute: Bun and Deno take a sample of the checks. */
export function itPassesSome(title: string, checks: readonly Check[]): void {
  itPasses(title, sampled(checks));
}

/**
 * The checks of plugins as tests.
 * @module
 */
import { describe, it } from "node:test";
import type { Check } from "../conformance/mod.ts";

/** Each check is a test of its name. */
export function itPasses(title: string, checks: readonly Check[]): void {
  describe(title, () => {
    for (const check of checks) it(check.name, { skip: check.skipped !== undefined }, check.run);
  });
}

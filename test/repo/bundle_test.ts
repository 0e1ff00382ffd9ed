/**
 * What core and one recipe load at once stays small: what a run may do without is imported where it is needed.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { bundleSizes } from "../../bench/bundle_sizes.ts";

/** Bytes behind gzip: what was reached, and 3 % for what comes. A number goes down with what it holds. */
const CEILINGS = { atOnce: 98_500, untilStepOne: 125_000, split: 121_200 };

it("core and one recipe are no larger than they were", async () => {
  const sizes = await bundleSizes();
  for (const [name, ceiling] of Object.entries(CEILINGS)) {
    const { gzipped } = sizes[name as keyof typeof CEILINGS];
    const advice = "import what only some runs need where they need it (`node bench/bundle.ts --modules`)";
    assert.ok(gzipped <= ceiling, `${name}: ${gzipped} bytes behind gzip, at most ${ceiling}: ${advice}`);
    assert.ok(gzipped > ceiling * 0.9, `${name}: ${gzipped} bytes behind gzip: lower the ceiling of ${ceiling}`);
  }
});

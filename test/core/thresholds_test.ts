/** Thresholds per group beside Fairlearn's ThresholdOptimizer (test/fixtures/thresholds.py). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { type ScoredRow, tuneThresholds } from "../../core/evaluation/thresholds.ts";
import { itPasses } from "../checks.ts";
import { itHolds } from "../reference/evaluation/mod.ts";
import { thresholdChecks } from "../reference/evaluation/thresholds.ts";

const figures = JSON.parse(readFileSync(new URL("../fixtures/thresholds.json", import.meta.url), "utf8"));
itPasses("Fairlearn's thresholds", thresholdChecks(figures.sets));
await itHolds("thresholds");

it("a group with one class alone has no threshold", () => {
  const rows: ScoredRow[] = [0.1, 0.7, 0.4].map((score, i) => ({ score, label: 1, group: i ? "a" : "b" }));
  assert.throws(() => tuneThresholds(rows, "demographic_parity"), /"a.*" with 2 positive of 2 rows/);
});

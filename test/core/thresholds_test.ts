/** Thresholds per group beside Fairlearn's ThresholdOptimizer (test/fixtures/thresholds.py). */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import {
  type Constraint,
  type Objective,
  positiveShare,
  type ScoredRow,
  tuneThresholds,
} from "../../core/evaluation/thresholds.ts";
import type { Named } from "../../core/types.ts";
import { sharedPath, SKIP_REASON } from "../shared.ts";

type Case = Readonly<{
  constraint: Constraint;
  objective: Objective;
  labels: readonly (0 | 1)[];
  scores: readonly number[];
  groups: readonly string[];
  expected: Readonly<{
    rules: Named<Readonly<{ p0: number; operation0: string; p1: number; operation1: string; pIgnore: number }>>;
    positiveProbability: readonly number[];
    x: number;
    y: number;
  }>;
}>;
const near = (found: number, expected: number, what: string): void =>
  assert.ok(Math.abs(found - expected) <= 1e-12, `${what}: ${found} is not ${expected}`);

const own = new URL("../fixtures/thresholds.json", import.meta.url).pathname;
for (const path of [own, sharedPath("reference/evaluation/thresholds.json")]) {
  describe(
    `thresholds of ${path === own ? "the fixture" : "the shared reference"}`,
    { skip: !path && SKIP_REASON },
    () => {
      const { sets } = (path ? JSON.parse(readFileSync(path, "utf8")) : { sets: [] }) as { sets: readonly Case[] };
      for (const { constraint, objective, labels, scores, groups, expected } of sets) {
        it(`${constraint}, ${objective}`, () => {
          const rows = labels.map((label, i): ScoredRow => ({ label, score: scores[i] ?? 0, group: groups[i] ?? "" }));
          const { rules, x, y } = tuneThresholds(rows, constraint, objective);
          near(x, expected.x, "x");
          near(y, expected.y, "y");
          const shown = (threshold: number): string =>
            `[>${threshold === Infinity ? "inf" : threshold === -Infinity ? "-inf" : threshold}]`;
          for (const [group, rule] of Object.entries(expected.rules)) {
            const found = rules[group];
            assert.ok(found, group);
            for (const key of ["p0", "p1", "pIgnore"] as const) near(found[key], rule[key], `${group} ${key}`);
            assert.deepEqual([shown(found.threshold0), shown(found.threshold1)], [rule.operation0, rule.operation1]);
          }
          rows.forEach(({ group, score }, i) => {
            const rule = rules[group];
            near(rule ? positiveShare(rule, score) : NaN, expected.positiveProbability[i] ?? NaN, `row ${i}`);
          });
        });
      }
    },
  );
}

it("a group with one class alone has no threshold", () => {
  const rows: ScoredRow[] = [0.1, 0.7, 0.4].map((score, i) => ({ score, label: 1, group: i ? "a" : "b" }));
  assert.throws(() => tuneThresholds(rows, "demographic_parity"), /"a.*" with 2 positive of 2 rows/);
});

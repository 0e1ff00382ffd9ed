/** Thresholds per group beside Fairlearn's ThresholdOptimizer. */
import assert from "node:assert/strict";
import { type Check, check } from "../../../conformance/check.ts";
import {
  type Constraint,
  type Objective,
  positiveShare,
  type ScoredRow,
  tuneThresholds,
} from "../../../core/evaluation/thresholds.ts";
import type { Named } from "../../../core/types.ts";
import { near } from "../../near.ts";

/** Scored rows of groups, and what the optimizer chooses. */
export type ThresholdSet = Readonly<{
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

/** Every rule, what it comes to, and what it says of each row, within 1e-12. */
export function thresholdChecks(sets: readonly ThresholdSet[]): Check[] {
  return sets.map(({ constraint, objective, labels, scores, groups, expected }, i) =>
    check(`${constraint}, ${objective}, set ${i}`, () => {
      const rows = labels.map((label, i): ScoredRow => ({ label, score: scores[i] ?? 0, group: groups[i] ?? "" }));
      const { rules, x, y } = tuneThresholds(rows, constraint, objective);
      near(x, expected.x, 1e-12, "x");
      near(y, expected.y, 1e-12, "y");
      const shown = (threshold: number): string =>
        `[>${threshold === Infinity ? "inf" : threshold === -Infinity ? "-inf" : threshold}]`;
      for (const [group, rule] of Object.entries(expected.rules)) {
        const found = rules[group];
        assert.ok(found, group);
        for (const key of ["p0", "p1", "pIgnore"] as const) near(found[key], rule[key], 1e-12, `${group} ${key}`);
        assert.deepEqual([shown(found.threshold0), shown(found.threshold1)], [rule.operation0, rule.operation1]);
      }
      rows.forEach(({ group, score }, i) => {
        const rule = rules[group];
        near(rule ? positiveShare(rule, score) : NaN, expected.positiveProbability[i] ?? NaN, 1e-12, `row ${i}`);
      });
    })
  );
}

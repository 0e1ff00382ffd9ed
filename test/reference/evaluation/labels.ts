/** Confident learning beside cleanlab. */
import assert from "node:assert/strict";
import { type Check, check } from "../../../conformance/check.ts";
import type { Named } from "../../../core/types.ts";
import {
  confidentCounts,
  type LabelFilter,
  labelIssues,
  type LabelledProbabilities,
  type LabelScore,
  labelScores,
  rankedIssues,
} from "../../../runtimes/data/label_issues.ts";
import { near } from "../../near.ts";

/** Labels with probabilities from models that have not seen them, and what cleanlab says of them. */
export type LabelSet =
  & LabelledProbabilities
  & Readonly<{
    name: string;
    expected: Readonly<{
      thresholds: readonly number[];
      joint: readonly (readonly number[])[];
      calibratedJoint: readonly (readonly number[])[];
      offDiagonal: readonly number[];
      issues: Named<readonly number[]>;
      ranked: Named<readonly number[]>;
      scores: Named<readonly number[]>;
    }>;
  }>;

/** What is counted, each way of choosing rows, each order of them, and scores within 1e-9. */
export function labelChecks(sets: readonly LabelSet[]): Check[] {
  return sets.flatMap((set) => {
    const { name, expected } = set;
    const of = <T>(what: string, values: Named<T>, act: (key: string, value: T) => void): Check[] =>
      Object.entries(values).map(([key, value]) => check(`${name}, ${what} ${key}`, () => act(key, value)));
    return [
      check(`${name}, counts`, () => {
        const { thresholds, joint, calibrated, offDiagonal } = confidentCounts(set);
        expected.thresholds.forEach((value, k) => near(thresholds[k], value, 1e-12, `class ${k}`));
        assert.deepEqual(joint, expected.joint);
        assert.deepEqual(calibrated, expected.calibratedJoint);
        assert.deepEqual(offDiagonal, expected.offDiagonal);
      }),
      ...of(
        "issues by",
        expected.issues,
        (filter, rows) => assert.deepEqual(labelIssues(set, filter as LabelFilter), rows),
      ),
      ...of(
        "ranked by",
        expected.ranked,
        (by, rows) =>
          assert.deepEqual(rankedIssues(set, expected.issues.prune_by_noise_rate ?? [], by as LabelScore), rows),
      ),
      ...of("scores of", expected.scores, (by, scores) => {
        const found = labelScores(set, by as LabelScore);
        scores.forEach((value, i) => near(found[i], value, 1e-9, `row ${i}`));
      }),
    ];
  });
}

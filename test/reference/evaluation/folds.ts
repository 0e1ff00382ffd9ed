/** Folds beside scikit-learn's, where nothing is shuffled, and the corrected interval of what they give. */
import assert from "node:assert/strict";
import { type Check, check } from "../../../conformance/check.ts";
import { correctedInterval } from "../../../core/statistics/corrected_interval.ts";
import { divideRows } from "../../../core/data/folds.ts";
import type { Named } from "../../../core/types.ts";

/** Rows, and the test rows of each fold. */
export type FoldSet = Readonly<{
  kind: string;
  k: number;
  rows?: number;
  labels?: readonly unknown[] | null;
  groups?: readonly unknown[] | null;
  test: readonly (readonly number[])[];
}>;

/** Figures of folds, and what is known of their mean. */
export type CorrectedSet = Readonly<{
  differences: readonly number[];
  trainRows: number;
  testRows: number;
  expected: Named<number>;
}>;

/** Checks of how rows are divided. */
export function foldChecks(sets: readonly FoldSet[]): readonly Check[] {
  return sets.map(({ kind, k, rows, labels, groups, test }, i) =>
    check(`${kind}, set ${i}: ${k} folds`, () => {
      const count = rows ?? (labels ?? groups)?.length ?? 0;
      const of = divideRows({ rows: count, folds: k, classes: labels ?? undefined, groups: groups ?? undefined });
      test.forEach((wanted, fold) => assert.deepEqual([...of.keys()].filter((row) => of[row] === fold), wanted));
    })
  );
}

/** Checks of the corrected resampled t. */
export function correctedChecks(sets: readonly CorrectedSet[]): readonly Check[] {
  return sets.map(({ differences, trainRows, testRows, expected }, i) =>
    check(`corrected resampled t, set ${i}`, () => {
      const interval = correctedInterval({ values: differences, trainRows, testRows });
      for (const key of ["mean", "standardError", "t", "degrees", "p", "low", "high"] as const) {
        const wanted = expected[key] ?? NaN;
        assert.ok(
          Math.abs(interval[key] - wanted) <= 1e-10 * Math.abs(wanted),
          `${key}: ${interval[key]}, not ${wanted}`,
        );
      }
    })
  );
}

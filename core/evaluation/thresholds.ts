/**
 * Thresholds per group that equalize a rate over groups at the best accuracy (Hardt et al. 2016), as in Fairlearn's
 * ThresholdOptimizer.
 */
import { badValue } from "../base/errors.ts";
import type { Named } from "../types.ts";

/** The rate to equalize. */
export type Constraint =
  | "demographic_parity"
  | "true_positive_rate_parity"
  | "false_positive_rate_parity"
  | "equalized_odds";

/** The score to maximize under the constraint. */
export type Objective = "accuracy_score" | "balanced_accuracy_score";

/** A row: its group, its score of the positive class, and its label (1: positive). */
export type ScoredRow = Readonly<{ group: string; score: number; label: 0 | 1 }>;

/**
 * A group's randomized rule: the first threshold with probability p0, the second with p1; a score above the threshold
 * is positive. With probability `pIgnore`, the constant is predicted instead.
 */
export type ThresholdRule = Readonly<{
  p0: number;
  threshold0: number;
  p1: number;
  threshold1: number;
  pIgnore: number;
  predictionConstant: number;
}>;

/** The rules of all groups, the common rate `x`, and the objective `y` there. */
export type TunedThresholds = Readonly<{ rules: Named<ThresholdRule>; x: number; y: number }>;

/** Number of grid steps of the rate to equalize. */
const GRID = 1000;

/** Tunes the rules of all groups. Throws AttuneError if a group has rows of only one class. */
export function tuneThresholds(
  rows: readonly ScoredRow[],
  constraint: Constraint,
  objective: Objective = "accuracy_score",
): TunedThresholds {
  const wrong = rows.find(({ score }) => !Number.isFinite(score));
  if (wrong) throw badValue("evaluate", "--thresholds", wrong.score, "scores that are numbers");
  const groups = new Map<string, ScoredRow[]>();
  for (const row of rows) groups.set(row.group, groups.get(row.group) ?? []).get(row.group)?.push(row);
  const names = [...groups.keys()].sort();
  const curves = names.map((name) => {
    const group = groups.get(name) ?? [];
    return interpolated(
      hullOf(pointsOf(name, group, rates[constraint], constraint === "equalized_odds" ? tpr : scores[objective])),
    );
  });
  if (constraint !== "equalized_odds") {
    const best = firstHighest((i) =>
      names.reduce((sum, name, g) => sum + (groups.get(name)?.length ?? 0) / rows.length * (curves[g]?.[i]?.y ?? 0), 0)
    );
    const rules = names.map((name, g): [string, ThresholdRule] => [name, ruleOf(curves[g]?.[best.at], 0, 0)]);
    return { rules: Object.fromEntries(rules), x: best.at * STEP, y: best.value };
  }
  const positives = rows.filter(({ label }) => label === 1).length;
  const negatives = rows.length - positives;
  const least = (i: number): number => Math.min(...curves.map((curve) => curve[i]?.y ?? 0));
  const best = firstHighest((i) => {
    const counts = {
      tp: positives * least(i),
      fn: positives * (1 - least(i)),
      fp: negatives * i * STEP,
      tn: negatives * (1 - i * STEP),
    };
    return Number(scores[objective](counts).toFixed(15));
  });
  const [x, y] = [best.at * STEP, least(best.at)];
  const rules = names.map((name, g): [string, ThresholdRule] => {
    const point = curves[g]?.[best.at];
    const gap = (point?.y ?? 0) - x;
    return [name, ruleOf(point, gap === 0 ? 0 : ((point?.y ?? 0) - y) / gap, x)];
  });
  return { rules: Object.fromEntries(rules), x, y };
}

/** Returns the probability that a rule predicts positive for a score. */
export function positiveShare(rule: ThresholdRule, score: number): number {
  const { p0, threshold0, p1, threshold1, pIgnore, predictionConstant } = rule;
  const mixed = p0 * Number(score > threshold0) + p1 * Number(score > threshold1);
  return pIgnore * predictionConstant + (1 - pIgnore) * mixed;
}

const STEP = 1 / GRID;

type Counts = Readonly<{ tp: number; fp: number; fn: number; tn: number }>;
type Rate = (counts: Counts) => number;

const tpr: Rate = ({ tp, fn }) => tp / (tp + fn);
const fpr: Rate = ({ fp, tn }) => fp / (fp + tn);
const rates: Readonly<Record<Constraint, Rate>> = {
  demographic_parity: ({ tp, fp, fn, tn }) => (tp + fp) / (tp + fp + fn + tn),
  true_positive_rate_parity: tpr,
  false_positive_rate_parity: fpr,
  equalized_odds: fpr,
};
const scores: Readonly<Record<Objective, Rate>> = {
  accuracy_score: ({ tp, fp, fn, tn }) => (tp + tn) / (tp + fp + fn + tn),
  balanced_accuracy_score: ({ tp, fp, fn, tn }) => 0.5 * tp / (tp + fn) + 0.5 * tn / (tn + fp),
};

type Point = Readonly<{ x: number; y: number; threshold: number }>;

/** Returns the point of each threshold: infinity, and the midpoints of neighbouring scores. */
function pointsOf(name: string, rows: readonly ScoredRow[], x: Rate, y: Rate): Point[] {
  const sorted = rows.toSorted((a, b) => b.score - a.score);
  const positives = rows.filter(({ label }) => label === 1).length;
  const negatives = rows.length - positives;
  if (positives === 0 || negatives === 0) {
    throw badValue(
      "evaluate",
      "--thresholds",
      `group "${name}" with ${positives} positive of ${rows.length} rows`,
      "rows of both classes in every group",
    );
  }
  let [tp, fp, i] = [0, 0, 0];
  const at = (threshold: number): Point => {
    const counts = { tp, fp, fn: positives - tp, tn: negatives - fp };
    return { x: x(counts), y: y(counts), threshold };
  };
  const points = [at(Infinity)];
  while (i < sorted.length) {
    const score = sorted[i]?.score ?? 0;
    for (; sorted[i]?.score === score; i++) sorted[i]?.label === 1 ? tp++ : fp++;
    points.push(at((score + (sorted[i]?.score ?? -Infinity)) / 2));
  }
  return points.map((point, order) => ({ point, order }))
    .sort((a, b) => a.point.x - b.point.x || a.point.y - b.point.y || a.order - b.order).map(({ point }) => point);
}

/** Returns the points of the upper convex hull (Andrew 1979). */
function hullOf(points: readonly Point[]): Point[] {
  const hull: Point[] = [];
  for (const point of points) {
    while (hull.length >= 2) {
      const [a, b] = hull.slice(-2) as [Point, Point];
      if ((b.y - a.y) * (point.x - a.x) > (point.y - a.y) * (b.x - a.x)) break;
      hull.pop();
    }
    hull.push(point);
  }
  return hull;
}

type Mixed = Readonly<{ y: number; p0: number; p1: number; threshold0: number; threshold1: number }>;

/** Interpolates the hull at every step of the grid, as a mixture of the two neighbouring points. */
function interpolated(hull: readonly Point[]): Mixed[] {
  return Array.from({ length: GRID + 1 }, (_, i) => {
    const x = i === GRID ? 1 : i * STEP;
    let left = hull.findLastIndex((point) => point.x <= x);
    if (i > 0 && hull[left]?.x === x) left--;
    const [a, b] = [hull[left], hull[left + 1]];
    const p0 = ((b?.x ?? 0) - x) / ((b?.x ?? 0) - (a?.x ?? 0));
    const p1 = 1 - p0;
    return {
      y: p0 * (a?.y ?? 0) + p1 * (b?.y ?? 0),
      p0,
      p1,
      threshold0: a?.threshold ?? Infinity,
      threshold1: b?.threshold ?? -Infinity,
    };
  });
}

function firstHighest(value: (i: number) => number): Readonly<{ at: number; value: number }> {
  let best = { at: 0, value: value(0) };
  for (let i = 1; i <= GRID; i++) {
    const figure = value(i);
    if (figure > best.value) best = { at: i, value: figure };
  }
  return best;
}

function ruleOf(point: Mixed | undefined, pIgnore: number, predictionConstant: number): ThresholdRule {
  const { p0 = 1, p1 = 0, threshold0 = Infinity, threshold1 = Infinity } = point ?? {};
  return { p0, threshold0, p1, threshold1, pIgnore, predictionConstant };
}

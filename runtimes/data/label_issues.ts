/** Labels that are likely wrong, found and ranked by confident learning (Northcutt et al. 2021) as in cleanlab. */
import type { SplitName } from "../../core/types.ts";
import { halfToEven } from "../../blocks/data/mod.ts";

/** A row with a doubtful label. */
export type LabelIssue = Readonly<{
  split: SplitName;
  row: number;
  given: string;
  suggested: string;
  score: number;
  text: string;
}>;

/** Labels and probabilities by row; `probabilities[i][k]`: of class k, from a model that was not trained on row i. */
export type LabelledProbabilities = Readonly<{
  labels: readonly number[];
  probabilities: readonly (readonly number[])[];
}>;

/** How rows are chosen; cleanlab's `filter_by`. */
export type LabelFilter =
  | "prune_by_noise_rate"
  | "prune_by_class"
  | "both"
  | "confident_learning"
  | "predicted_neq_given"
  | "low_normalized_margin"
  | "low_self_confidence";

/** How rows are ranked; cleanlab's `rank_by`. */
export type LabelScore = "self_confidence" | "normalized_margin" | "confidence_weighted_entropy";

const [TINY, LEAST_THRESHOLD, NEVER] = [1e-6, 2e-6, 2];

/** Returns the mean probability of each class over the rows labelled with it. */
function classThresholds({ labels, probabilities }: LabelledProbabilities): readonly number[] {
  const classes = probabilities[0]?.length ?? 0;
  return Array.from({ length: classes }, (_, k) => {
    const confidences = probabilities.filter((_, i) => labels[i] === k).map((p) => p[k] ?? 0);
    return confidences.length === 0
      ? NEVER
      : Math.max(LEAST_THRESHOLD, confidences.reduce((a, b) => a + b, 0) / confidences.length);
  });
}

/** Returns the class of which a row's probabilities are confident; undefined: none. */
function confidentClass(p: readonly number[], thresholds: readonly number[]): number | undefined {
  const over = p.flatMap((value, k) => (value >= (thresholds[k] ?? NEVER) - TINY ? [k] : []));
  return over.length <= 1 ? over[0] : argmax(p);
}

/** Counts rows by given label and by confident class; the diagonal is at least 1. */
function confidentJoint(rows: LabelledProbabilities): number[][] {
  const thresholds = classThresholds(rows);
  const joint = thresholds.map(() => thresholds.map(() => 0));
  rows.labels.forEach((label, i) => {
    const guess = confidentClass(rows.probabilities[i] ?? [], thresholds);
    if (guess !== undefined) add(joint, label, guess, 1);
  });
  joint.forEach((row, k) => (row[k] = Math.max(1, row[k] ?? 0)));
  return joint;
}

/** Scales the joint to the counts of labels, in whole rows. */
function calibratedJoint(rows: LabelledProbabilities, joint = confidentJoint(rows)): number[][] {
  const counts = joint.map((_, k) => rows.labels.filter((label) => label === k).length);
  const scaled = joint.map((row, k) => {
    const sum = row.reduce((a, b) => a + b, 0);
    return row.map((value) => (sum === 0 ? 0 : value / sum * (counts[k] ?? 0)));
  });
  const total = scaled.flat().reduce((a, b) => a + b, 0);
  return scaled.map((row) => roundedKeepingSum(row.map((value) => value / total * rows.labels.length)));
}

function add(matrix: number[][], i: number, j: number, value: number): void {
  const row = matrix[i];
  if (row) row[j] = (row[j] ?? 0) + value;
}

/** Rounds numbers so that their sum stays: the excess is corrected in those that were rounded furthest. */
function roundedKeepingSum(values: readonly number[]): number[] {
  const rounded = values.map(halfToEven);
  const goal = halfToEven(values.reduce((a, b) => a + b, 0));
  for (let sum = rounded.reduce((a, b) => a + b, 0); sum !== goal; sum = rounded.reduce((a, b) => a + b, 0)) {
    const step = sum > goal ? -1 : 1;
    const order = values.map((value, i) => ({ i, rest: value - (rounded[i] ?? 0) }))
      .sort((a, b) => step * (b.rest - a.rest) || step * (b.i - a.i));
    for (const { i } of order.slice(0, Math.abs(goal - sum))) rounded[i] = (rounded[i] ?? 0) + step;
  }
  return rounded;
}

/** Returns, in order, the rows that are confidently of another class than their label. */
function confidentOthers(rows: LabelledProbabilities): number[] {
  const thresholds = classThresholds(rows);
  return rows.labels.flatMap((label, i) => {
    const guess = confidentClass(rows.probabilities[i] ?? [], thresholds);
    return guess === undefined || guess === label ? [] : [i];
  });
}

/**
 * Returns the statistics of confident learning: thresholds of classes, rows by given and confident class, the same in
 * whole rows, and the rows that are confidently of another class.
 */
export function confidentCounts(rows: LabelledProbabilities): Readonly<{
  thresholds: readonly number[];
  joint: number[][];
  calibrated: number[][];
  offDiagonal: number[];
}> {
  return {
    thresholds: classThresholds(rows),
    joint: confidentJoint(rows),
    calibrated: calibratedJoint(rows),
    offDiagonal: confidentOthers(rows),
  };
}

/** Returns the numbers of the rows with doubtful labels, in order. */
export function labelIssues(rows: LabelledProbabilities, filter: LabelFilter = "prune_by_noise_rate"): number[] {
  const { labels, probabilities } = rows;
  if (filter === "predicted_neq_given") {
    return labels.flatMap((label, i) => (argmax(probabilities[i] ?? []) === label ? [] : [i]));
  }
  const agreed = (i: number): boolean => {
    const p = probabilities[i] ?? [];
    return (p[labels[i] ?? -1] ?? 0) >= Math.max(...p) - TINY;
  };
  const off = confidentOthers(rows).filter((i) => !agreed(i));
  if (filter === "low_normalized_margin" || filter === "low_self_confidence") {
    const scores = labelScores(rows, filter === "low_self_confidence" ? "self_confidence" : "normalized_margin");
    const order = labels.map((_, i) => i).sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0) || a - b);
    return order.slice(0, off.length).sort((a, b) => a - b);
  }
  const chosen = filter === "confident_learning" ? new Set(off) : pruned(rows, filter);
  // A label that the model predicts is no issue.
  return labels.flatMap((_, i) => (chosen.has(i) && !agreed(i) ? [i] : []));
}

function pruned(rows: LabelledProbabilities, filter: "prune_by_noise_rate" | "prune_by_class" | "both"): Set<number> {
  const { labels, probabilities } = rows;
  const joint = calibratedJoint(rows);
  const counts = joint.map((_, k) => labels.filter((label) => label === k).length);
  const rowsOf = (k: number): number[] => labels.flatMap((label, i) => (label === k ? [i] : []));
  const p = (i: number, k: number): number => probabilities[i]?.[k] ?? 0;
  const byClass = new Set<number>();
  const byRate = new Set<number>();
  joint.forEach((row, k) => {
    if ((counts[k] ?? 0) <= 1) return;
    const many = (counts[k] ?? 0) - (row[k] ?? 0);
    rowsOf(k).sort((a, b) => p(a, k) - p(b, k)).slice(0, Math.max(0, many)).forEach((i) => byClass.add(i));
  });
  withLeastDiagonal(joint).forEach((row, k) => {
    if ((counts[k] ?? 0) <= 1) return;
    row.forEach((many, j) => {
      if (j === k || many <= 0) return;
      rowsOf(k).sort((a, b) => (p(b, j) - p(b, k)) - (p(a, j) - p(a, k))).slice(0, many).forEach((i) => byRate.add(i));
    });
  });
  if (filter === "prune_by_class") return byClass;
  return filter === "prune_by_noise_rate" ? byRate : new Set([...byClass].filter((i) => byRate.has(i)));
}

/** Raises the joint's diagonal to at least 1, and lowers the other counts of each given class evenly in return. */
function withLeastDiagonal(joint: readonly (readonly number[])[]): number[][] {
  const next = joint.map((row, k) => {
    const lacking = Math.max(0, 1 - (row[k] ?? 0));
    const share = lacking / Math.max(1, row.filter((value) => value !== 0).length - 1);
    return row.map((value, j) => (j === k ? value + lacking : Math.max(0, value - share)));
  });
  const columns = next.map((_, j) => roundedKeepingSum(next.map((row) => row[j] ?? 0)));
  return next.map((_, k) => columns.map((column) => column[k] ?? 0));
}

/** Returns how far each row's label can be trusted; 0: not at all. */
export function labelScores(
  { labels, probabilities }: LabelledProbabilities,
  by: LabelScore = "self_confidence",
): number[] {
  const confidences = labels.map((label, i) => probabilities[i]?.[label] ?? 0);
  if (by === "self_confidence") return confidences;
  if (by === "normalized_margin") {
    return labels.map((label, i) => {
      const others = (probabilities[i] ?? []).filter((_, k) => k !== label);
      return ((confidences[i] ?? 0) - Math.max(...others) + 1) / 2;
    });
  }
  const entropies = probabilities.map((p) => {
    const entropy = -p.reduce((sum, value) => sum + (value > 0 ? value * Math.log(value) : 0), 0);
    return p.length > 1 ? entropy / Math.log(p.length) : 0;
  });
  return entropies.map((entropy, i) => {
    const ratio = Math.max(entropy, TINY) / Math.max(confidences[i] ?? 0, TINY);
    return Math.log(ratio + 1) / ratio;
  });
}

/** Sorts the rows of issues, the least trusted label first. */
export function rankedIssues(rows: LabelledProbabilities, issues: readonly number[], by?: LabelScore): number[] {
  const scores = labelScores(rows, by);
  return [...issues].sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0) || a - b);
}

function argmax(values: readonly number[]): number {
  return values.reduce((best, value, i) => (value > (values[best] ?? -Infinity) ? i : best), 0);
}

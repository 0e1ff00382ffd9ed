/** The loss of single rows, computed from their answers, for an interval of the mean loss. */
import type { Metric, MetricInputs } from "../types.ts";

type State = Readonly<{ sum: number; count: number }>;

/** Metric of the rows' mean loss: the negative log score of the right class, or the squared error of a number. */
export const rowLoss: Metric = {
  kind: "metric",
  name: "loss",
  options: {},
  reads: ["label", "number"],
  greaterIsBetter: false,
  init: (): State => ({ sum: 0, count: 0 }),
  update: (state: unknown, example: MetricInputs[keyof MetricInputs]): State => {
    const { sum, count } = state as State;
    return { sum: sum + lossOf(example as MetricInputs["label" | "number"]), count: count + 1 };
  },
  merge: (a: unknown, b: unknown): State => {
    const [left, right] = [a as State, b as State];
    return { sum: left.sum + right.sum, count: left.count + right.count };
  },
  compute: (state: unknown) => {
    const { sum, count } = state as State;
    const mean = sum / count;
    return { loss: Number.isFinite(mean) ? mean : null };
  },
};

/** Returns the loss of a row from float32 probabilities; NaN for classes without scores. */
function lossOf(example: MetricInputs["label" | "number"]): number {
  if (!("scores" in example) || !example.scores) {
    return "classes" in example ? NaN : (example.prediction - example.reference) ** 2;
  }
  return -Math.log(Math.max(1e-30, Number(example.scores[example.reference] ?? NaN)));
}

/** Relative difference from the measured loss that float32 scores may cause. */
const NEAR = 1e-4;

/** Whether the mean of row losses equals the measured loss; with label smoothing or weights, it does not. */
export function isLoss(mean: number | null | undefined, loss: number | undefined): boolean {
  return typeof mean === "number" && loss !== undefined && Math.abs(mean - loss) <= NEAR * Math.max(1, Math.abs(loss));
}

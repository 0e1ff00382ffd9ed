/** The loss of single rows, where an answer tells it: what an interval of the mean loss is made from. */
import type { Metric, MetricInputs } from "../types.ts";

type State = Readonly<{ sum: number; count: number }>;

/** The mean loss of rows: of classes by the score of the right one, of numbers the squared error. */
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

/** As float32 probabilities have it; NaN where there are no scores of classes. */
function lossOf(example: MetricInputs["label" | "number"]): number {
  if (!("scores" in example) || !example.scores) {
    return "classes" in example ? NaN : (example.prediction - example.reference) ** 2;
  }
  return -Math.log(Math.max(1e-30, Number(example.scores[example.reference] ?? NaN)));
}

/** How far float32 scores may be from the loss. */
const NEAR = 1e-4;

/** Whether the mean of the rows' losses is the loss that was measured: it is not with smoothed labels, or weights. */
export function isLoss(mean: number | null | undefined, loss: number | undefined): boolean {
  return typeof mean === "number" && loss !== undefined && Math.abs(mean - loss) <= NEAR * Math.max(1, Math.abs(loss));
}

/**
 * Functions that searches are compared by, each with its space: Branin, Hartmann's of six variables, and one with options
 * like a run's.
 */
import { createRandom } from "../../../core/math/random.ts";
import type { Json, Named, Search, SearchSettings, Space, Trial } from "../../../core/types.ts";

/** A function to minimize. */
export type TestFunction = Readonly<{ space: Named<Space>; value: (params: Named<Json>) => number }>;

const between = (low: number, high: number): Space => ({ type: "float", low, high });
const number = (params: Named<Json>, name: string): number => Number(params[name]);

const A = [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]];
const P = [
  [1312, 1696, 5569, 124, 8283, 5886],
  [2329, 4135, 8307, 3736, 1004, 9991],
  [2348, 1451, 3522, 2883, 3047, 6650],
  [4047, 8828, 8732, 5743, 1091, 381],
];

/** The functions by name. */
export const functions: Named<TestFunction> = {
  branin: {
    space: { x: between(-5, 10), y: between(0, 15) },
    value: (params) => {
      const [x, y] = [number(params, "x"), number(params, "y")];
      const inner = y - 5.1 / (4 * Math.PI ** 2) * x * x + 5 / Math.PI * x - 6;
      return inner ** 2 + 10 * (1 - 1 / (8 * Math.PI)) * Math.cos(x) + 10;
    },
  },
  hartmann6: {
    space: Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`x${i + 1}`, between(0, 1)])),
    value: (params) =>
      -[1, 1.2, 3, 3.2].reduce((sum, alpha, k) => {
        const inner = Array.from({ length: 6 }, (_, i) =>
          (A[k]?.[i] ?? 0) * (number(params, `x${i + 1}`) - 1e-4 * (P[k]?.[i] ?? 0)) ** 2);
        return sum + alpha * Math.exp(
              -inner.reduce((a, b) =>
                a + b
              ),
            );
      }, 0),
  },
  mixed: {
    space: {
      lr: { type: "float", low: 1e-6, high: 1e-1, log: true },
      r: { type: "int", low: 1, high: 128, log: true },
      layers: { type: "int", low: 1, high: 12 },
      opt: { type: "categorical", choices: ["adamw", "lion", "sgd"] },
      drop: between(0, 0.5),
      warm: { type: "categorical", choices: ["yes", "no"] },
    },
    value: (params) => {
      const rate = Math.log10(number(params, "lr"));
      const rank = Math.log2(number(params, "r"));
      const optimizer = ({ adamw: 0, lion: 0.05, sgd: 0.4 } as Named<number>)[String(params.opt)] ?? 0;
      return (rate + 3 + (params.opt === "lion" ? 1 : 0)) ** 2 / 4 + (rank - 4) ** 2 / 20 +
        0.02 * Math.abs(number(params, "layers") - 6) + optimizer + (number(params, "drop") - 0.1) ** 2 +
        (params.warm === "no" && rate > -3 ? 0.1 : 0);
    },
  },
};

/** The best values that a search comes to with each seed. */
export function bestOf(
  { space, value }: TestFunction,
  make: (settings: Pick<SearchSettings, "space">) => Search,
  { trials: count, seeds }: Readonly<{ trials: number; seeds: number }>,
): readonly number[] {
  const search = make({ space });
  return Array.from({ length: seeds }, (_, seed) => {
    const trials: Trial[] = [];
    for (let i = 0; i < count; i++) {
      const study = { name: "function", space, direction: "minimize" as const, trials };
      const params = search.next(study, createRandom(seed).fork("trial", i)) ?? {};
      trials.push({ number: i, params, state: "complete", values: [], value: value(params) });
    }
    return Math.min(...trials.map((trial) => Number(trial.value)));
  });
}

/** The middle of some numbers. */
export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) / 2;
  return ((sorted[Math.floor(at)] ?? 0) + (sorted[Math.ceil(at)] ?? 0)) / 2;
}

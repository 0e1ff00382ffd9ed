/** The best of 50 trials over 20 seeds, compared with Optuna 5's: `node bench/search.ts`. */
import { random } from "../plugins/searches/random.ts";
import { tpe } from "../plugins/searches/tpe.ts";
import { bestOf, functions, medianOf } from "../test/plugins/searches/functions.ts";

/** 95 % intervals of Optuna 5.0's medians: best of 50 trials, 20 seeds. */
const optuna: Record<string, readonly [tpe: readonly [number, number], random: readonly [number, number]]> = {
  branin: [[0.504, 0.747], [1.021, 2.096]],
  hartmann6: [[-3.026, -2.876], [-1.953, -1.342]],
  mixed: [[0.034, 0.071], [0.122, 0.168]],
};

for (const [name, own] of Object.entries(functions)) {
  for (const [i, [use, make]] of Object.entries({ tpe, random }).entries()) {
    const [low = 0, high = 0] = optuna[name]?.[i] ?? [];
    const median = medianOf(bestOf(own, make, { trials: 50, seeds: 20 }));
    const beside = median < low ? "better" : median > high ? "worse" : "within";
    console.log(`${name} ${use}: median ${median.toFixed(4)}, Optuna's interval [${low}, ${high}]: ${beside}`);
  }
}

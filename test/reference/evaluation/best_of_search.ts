/** How good the best trials of searches are, beside Optuna's. */
import assert from "node:assert/strict";
import { type Check, check } from "../../../conformance/check.ts";
import type { Named } from "../../../core/types.ts";
import { random } from "../../../plugins/searches/random.ts";
import { tpe } from "../../../plugins/searches/tpe.ts";
import { bestOf, functions, medianOf } from "../../plugins/searches/functions.ts";

/** `search.json`: of each function and sampler, the interval of the median of the best values over seeds. */
export type BestFigures = Readonly<{
  trials: number;
  seeds: number;
  best: Named<Named<Readonly<{ medianInterval95: readonly [low: number, high: number] }>>>;
}>;

const searches = { tpe, random };

/** Medians end no higher than Optuna's interval does. */
export function bestOfSearchChecks({ trials, seeds, best }: BestFigures): Check[] {
  return Object.entries(best).flatMap(([name, samplers]) =>
    Object.entries(searches).map(([sampler, make]) =>
      check(`best of ${trials} trials by ${sampler} on ${name}`, () => {
        const [, high] = samplers[sampler]?.medianInterval95 ?? [NaN, NaN];
        const searched = functions[name];
        assert.ok(searched, `no function ${name}`);
        const median = medianOf(bestOf(searched, make, { trials, seeds }));
        assert.ok(median <= high, `${median}, Optuna's interval ends at ${high}`);
      })
    )
  );
}

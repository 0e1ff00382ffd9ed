import assert from "node:assert/strict";
import { test } from "node:test";
import { bootstrap } from "../../core/statistics/bootstrap.ts";
import { AttuneError } from "../../core/base/errors.ts";
import { createRandom } from "../../core/math/random.ts";
import type { Metric, MetricInputs } from "../../core/types.ts";
import { accuracy } from "../../plugins/metrics/accuracy.ts";
import { exactMatch } from "../../plugins/metrics/exact_match.ts";
import { f1 } from "../../plugins/metrics/f1.ts";
import { mse } from "../../plugins/metrics/mse.ts";
import { pearson } from "../../plugins/metrics/pearson.ts";

const random = createRandom(1);
const rows = Array.from(
  { length: 400 },
  (_, i) => ({ prediction: i % 2, reference: i % 5 === 0 ? 1 - (i % 2) : i % 2 }),
);

test("an interval of accuracy is that of the binomial distribution", () => {
  const { accuracy: interval } = bootstrap(accuracy(), rows, { samples: 2000, random });
  // 0.8 ± 1.96 √(0.8 · 0.2 / 400), in steps of 1/400.
  assert.ok(Math.abs((interval?.low ?? 0) - 0.7608) < 0.004, `${interval?.low}`);
  assert.ok(Math.abs((interval?.high ?? 0) - 0.8392) < 0.004, `${interval?.high}`);
  const { accuracy: wider } = bootstrap(accuracy(), rows, { confidence: 0.99, random });
  assert.ok((wider?.low ?? 1) < (interval?.low ?? 0) && (wider?.high ?? 0) > (interval?.high ?? 1));
});

test("the same stream gives the same interval, another one another", () => {
  const of = (seed: number): unknown =>
    bootstrap(f1({ average: "macro" }), rows, { samples: 200, random: createRandom(seed) });
  assert.deepEqual(of(3), of(3));
  assert.notDeepEqual(of(3), of(4));
});

test("counting, merging and reading again draw the same", () => {
  // Exact match reads texts (merged), accuracy of few kinds is counted, and mse of many kinds is read again.
  const n = 60;
  const right = (i: number): boolean => i % 3 === 0;
  const texts: MetricInputs["text"][] = Array.from(
    { length: n },
    (_, i) => ({ prediction: "a", references: [right(i) ? "a" : "b"] }),
  );
  const labels: MetricInputs["label"][] = Array.from(
    { length: n },
    (_, i) => ({ prediction: 1, reference: right(i) ? 1 : 0 }),
  );
  const distinct = (metric: Metric): Metric => ({
    ...metric,
    // A state that tells every example apart keeps examples from being counted.
    init: () => ({ mean: metric.init(), seen: "" }),
    update: (state: { mean: unknown; seen: string }, example: MetricInputs["label"] | MetricInputs["text"]) => ({
      mean: metric.update(state.mean, example),
      seen: `${state.seen}${Math.random()}`,
    }),
    merge: (a: { mean: unknown }, b: { mean: unknown }) => ({ mean: metric.merge(a.mean, b.mean), seen: "" }),
    compute: (state: { mean: unknown }) => metric.compute(state.mean),
  });
  const options = { samples: 100, random };
  const counted = bootstrap(accuracy(), labels, options).accuracy;
  assert.deepEqual(bootstrap(distinct(accuracy()), labels, options).accuracy, counted);
  assert.deepEqual(bootstrap(exactMatch(), texts, options)["exact-match"], counted);
  assert.deepEqual(bootstrap(distinct(exactMatch()), texts, options)["exact-match"], counted);
});

test("numbers: an interval holds the value, and is narrower with more rows", () => {
  const numbers = (n: number): MetricInputs["number"][] =>
    Array.from({ length: n }, (_, i) => ({ prediction: Math.sin(i * 12.9898), reference: 0 }));
  const width = (n: number): number => {
    const { mse: interval } = bootstrap(mse(), numbers(n), { samples: 300, random });
    assert.ok((interval?.low ?? 1) < 0.5 && (interval?.high ?? 0) > 0.5);
    return (interval?.high ?? 0) - (interval?.low ?? 0);
  };
  assert.ok(width(800) < 0.5 * width(100));
});

test("nothing to draw from, or nothing defined, is null", () => {
  assert.deepEqual(bootstrap(accuracy(), [], { samples: 3, random }), { accuracy: { low: null, high: null } });
  const flat = Array.from({ length: 5 }, () => ({ prediction: 1, reference: 2 }));
  assert.deepEqual(bootstrap(pearson(), flat, { samples: 10, random }), { pearson: { low: null, high: null } });
  assert.throws(() => bootstrap(accuracy(), [], { samples: 0, random }), AttuneError);
  assert.throws(() => bootstrap(accuracy(), [], { confidence: 1, random }), AttuneError);
});

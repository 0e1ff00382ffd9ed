/** Checks of metrics. */
import { assert } from "./assert.ts";
import { type Check, check } from "./check.ts";
import type { Metric, MetricInputs, Named } from "../kit.ts";

type Example = MetricInputs[keyof MetricInputs];

/** Readings for a metric, at least six. Default: six of the first kind that it reads. */
export type MetricFigures = Readonly<{
  readings?: readonly Example[];
  /** Values that another program computes from them. */
  values?: Named<number | null>;
}>;

const six = <T>(of: (i: number) => T): readonly T[] => Array.from({ length: 6 }, (_, i) => of(i));

/** Six readings of each kind. */
const examplesOf: { readonly [K in keyof MetricInputs]: readonly MetricInputs[K][] } = {
  label: six((i) => ({ prediction: i % 2, reference: i % 3 === 0 ? 1 : 0, scores: [1 - i / 6, i / 6] })),
  number: six((i) => ({ prediction: i, reference: i * i / 3 })),
  labels: six((i) => ({ prediction: [i % 2, 1], reference: [1, i % 3 === 0 ? 1 : 0], scores: [i / 6, 1 - i / 7] })),
  loss: six((i) => ({ sum: 1 + i, count: 2 })),
  tags: six((i) => ({ prediction: ["B-A", i % 2 ? "I-A" : "O"], reference: ["B-A", "O"] })),
  text: six((i) => ({ prediction: `the film ${i}`, references: [`the film ${i % 2}`, "a film"] })),
};

/** Six right and six wrong readings of each kind. */
const extremesOf: {
  readonly [K in keyof MetricInputs]: Readonly<Record<"right" | "wrong", readonly MetricInputs[K][]>>;
} = {
  label: {
    right: six((i) => ({ prediction: i % 2, reference: i % 2, scores: [1 - i % 2, i % 2] })),
    wrong: six((i) => ({ prediction: 1 - i % 2, reference: i % 2, scores: [i % 2, 1 - i % 2] })),
  },
  number: {
    right: six((i) => ({ prediction: i, reference: i })),
    wrong: six((i) => ({ prediction: 20 - i, reference: i })),
  },
  labels: {
    right: six((i) => ({ prediction: [i % 2], reference: [i % 2], scores: [1 - i % 2, i % 2] })),
    wrong: six((i) => ({ prediction: [1 - i % 2], reference: [i % 2], scores: [i % 2, 1 - i % 2] })),
  },
  loss: { right: six(() => ({ sum: 0, count: 2 })), wrong: six((i) => ({ sum: 20 + i, count: 2 })) },
  tags: {
    right: six(() => ({ prediction: ["B-A", "O"], reference: ["B-A", "O"] })),
    wrong: six(() => ({ prediction: ["O", "B-A"], reference: ["B-A", "O"] })),
  },
  text: {
    right: six((i) => ({ prediction: `the film ${i} was good`, references: [`the film ${i} was good`] })),
    wrong: six((i) => ({ prediction: "a phone", references: [`the film ${i} was good`] })),
  },
};

/**
 * Returns the checks of a metric on at least six examples: the empty state, the round trip of states through JSON,
 * merging, and independence of order and grouping up to rounding.
 */
export function metricChecks(metric: Metric, figures: MetricFigures): readonly Check[] {
  const examples = figures.readings ?? examplesOf[metric.reads[0] ?? "label"];
  const fold = (some: readonly Example[]): unknown => some.reduce((state, e) => metric.update(state, e), metric.init());
  const json = (state: unknown): unknown => JSON.parse(JSON.stringify(state));
  const all = (): Named<number | null> => metric.compute(fold(examples));

  return [
    check("is a metric", () => {
      assert.equal(metric.kind, "metric");
      assert.match(metric.name, /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/);
      assert.ok(metric.reads.length > 0);
      assert.ok(examples.length >= 6, "the battery needs six examples");
    }),
    check("results are finite or null, of nothing too, and not all null of something", () => {
      for (const value of Object.values({ ...metric.compute(metric.init()) })) {
        assert.ok(value === null || Number.isFinite(value));
      }
      const result = all();
      assert.ok(Object.keys(result).length > 0);
      for (const value of Object.values(result)) assert.ok(value === null || Number.isFinite(value));
      assert.ok(Object.values(result).some((value) => value !== null));
      if (figures.values) near(result, figures.values);
    }),
    check("a state is plain data", () => {
      for (const state of [metric.init(), fold(examples)]) assert.deepEqual(json(state), state);
      const resumed = examples.slice(3).reduce((s, e) => metric.update(s, e), json(fold(examples.slice(0, 3))));
      near(metric.compute(resumed), all());
    }),
    check("merging gives what one pass gives, in any grouping and order", () => {
      const third = Math.floor(examples.length / 3);
      const parts = (): [unknown, unknown, unknown] => [
        fold(examples.slice(0, third)),
        fold(examples.slice(third, 2 * third)),
        fold(examples.slice(2 * third)),
      ];
      const [a, b, c] = parts();
      near(metric.compute(metric.merge(metric.merge(a, b), c)), all());
      near(metric.compute(metric.merge(a, metric.merge(b, c))), all());
      near(metric.compute(metric.merge(metric.merge(c, a), b)), all());
      assert.deepEqual([a, b, c], parts(), "merge changed what it was given");
      near(metric.compute(metric.merge(metric.init(), fold(examples))), all());
      near(metric.compute(metric.merge(fold(examples), metric.init())), all());
      near(metric.compute(fold(examples.toReversed())), all());
    }),
    check("says rightly whether greater is better: right answers are no worse than wrong ones", () => {
      if (figures.readings) return "figures.readings are not its default ones";
      const extremes = extremesOf[metric.reads[0] ?? "label"];
      const valueOf = (some: readonly Example[]): number | null => Object.values(metric.compute(fold(some)))[0] ?? null;
      const [right, wrong] = [valueOf(extremes.right), valueOf(extremes.wrong)];
      if (right === null || wrong === null) return "it says nothing of readings without columns";
      assert.ok(
        metric.greaterIsBetter ? right >= wrong : right <= wrong,
        `greaterIsBetter is ${metric.greaterIsBetter}, and right answers have ${right}, wrong ones ${wrong}`,
      );
    }),
    check("reading a result changes nothing", () => {
      const state = fold(examples);
      const before = json(state);
      assert.deepEqual(metric.compute(state), metric.compute(state));
      assert.deepEqual(state, before);
    }),
  ];
}

function near(values: Named<number | null>, expected: Named<number | null>): void {
  assert.deepEqual(Object.keys(values).sort(), Object.keys(expected).sort());
  for (const [key, value] of Object.entries(expected)) {
    const other = values[key];
    if (value === null || typeof other !== "number") assert.equal(other, value, key);
    else assert.ok(Math.abs(other - value) <= 1e-9 * Math.max(1, Math.abs(value)), `${key}: ${other} is not ${value}`);
  }
}

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  addToTally,
  emptyTally,
  mergeTallies,
  type Tally,
  TALLY_LIMIT,
  tallyEntries,
} from "../../../blocks/metric/tally.ts";
import { rocAuc } from "../../../plugins/metrics/roc_auc.ts";

const LIMIT = 16;
const pairs = fc.array(fc.tuple(fc.double({ noNaN: true }), fc.double({ noNaN: true })), { maxLength: 60 });
const tallyOf = (values: readonly (readonly number[])[]): Tally =>
  values.reduce((tally, value) => addToTally(tally, "g", value, LIMIT), emptyTally());

test("a tally is bounded, and neither order nor grouping changes it", () => {
  fc.assert(fc.property(pairs, fc.nat(), (values, seed) => {
    const whole = tallyOf(values);
    assert.ok(whole.size <= LIMIT);
    assert.equal(Object.keys(whole.counts).length, whole.size);
    assert.equal([...tallyEntries(whole)].reduce((n, e) => n + e.count, 0), values.length);
    const at = values.length === 0 ? 0 : seed % values.length;
    const [a, b] = [tallyOf(values.slice(0, at)), tallyOf(values.slice(at))];
    assert.deepEqual(mergeTallies(a, b, LIMIT), whole);
    assert.deepEqual(mergeTallies(b, a, LIMIT), whole);
    assert.deepEqual(tallyOf(values.toReversed()), whole);
  }));
});

test("values are exact while there are few, and cut towards zero after", () => {
  const exact = tallyOf([[0.1, -1e-300], [Math.PI, 5e-324]]);
  assert.deepEqual([...tallyEntries(exact)].map((e) => e.values), [[0.1, -1e-300], [Math.PI, 5e-324]]);
  const cut = tallyOf(Array.from({ length: 100 }, (_, i) => [1 + i / 100, 0]));
  assert.ok(cut.level > 0);
  for (const { values: [x = 0] } of tallyEntries(cut)) assert.ok(x >= 1 && x < 2);
});

test("an area over more scores than are kept stays near the exact one", () => {
  const metric = rocAuc();
  let state = metric.init();
  const n = TALLY_LIMIT + 5000;
  let [bits, inversions, negatives] = [1, 0, 0];
  const rows: [number, number][] = [];
  for (let i = 0; i < n; i++) {
    bits = (Math.imul(bits, 1664525) + 1013904223) >>> 0;
    const reference = bits / 2 ** 32 < (i + 0.5) / n ? 1 : 0;
    rows.push([(i + 0.5) / n, reference]);
    state = metric.update(state, { prediction: 0, reference, scores: [1 - (i + 0.5) / n, (i + 0.5) / n] });
  }
  for (const [, reference] of rows) {
    if (reference === 0) negatives++;
    else inversions += negatives;
  }
  const exact = inversions / (negatives * (n - negatives));
  const area = metric.compute(state)["roc-auc"] ?? 0;
  assert.ok(area !== exact && Math.abs(area - exact) < 1e-4, `${area} ${exact}`);
});

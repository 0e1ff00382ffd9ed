import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { classReader } from "../../../core/data/class_reader.ts";
import { labelNames } from "../../../core/evaluation/metric_accumulator.ts";

describe("classReader", () => {
  const cases: readonly (readonly [string, readonly string[], readonly (readonly [unknown, number | undefined])[]])[] =
    [
      ["names", ["bad", "good"], [
        ["good", 1],
        [1, 1],
        ["1", 1],
        [1.0, 1],
        ["1.0", 1],
        [2, undefined],
        [0.5, undefined],
        [
          "fine",
          undefined,
        ],
        [true, undefined],
        [null, undefined],
      ]],
      ["names that are numbers", ["1", "2", "3"], [[1, 0], ["1", 0], ["3.0", 2], [3, 2], [0, undefined], [
        "0",
        undefined,
      ]]],
      ["names that are their own places", ["0", "1"], [[0, 0], ["1", 1], [1, 1]]],
      ["a name that is no number beside", ["none", "1", "2"], [[0, 0], [2, 2], ["none", 0]]],
      ["places that contradict", ["1", "none", "0"], [[0, 2], [1, 0], [2, undefined]]],
      ["booleans", ["true", "false"], [[true, 0], [false, 1], ["true", 0]]],
      ["two spellings of a number", ["1", "01"], [["01", 1], ["1", 0], [1, undefined]]],
      ["numbers with a sign", ["-1", "1"], [[-1, 0], [1, 1], ["-1", 0], [0, undefined]]],
    ];
  for (const [what, labels, values] of cases) {
    it(`reads ${what}`, () => {
      const read = classReader(labels);
      assert.deepEqual(values.map(([value]) => read(value)), values.map(([, id]) => id));
    });
  }
});

describe("labelNames", () => {
  const rows = (predictions: readonly unknown[], references: readonly unknown[]) =>
    predictions.map((prediction, i) => ({ prediction, reference: references[i] }));

  it('takes 1 and "1" for one class, and true and "true"', () => {
    assert.deepEqual(labelNames(rows(["1", "2"], [1, 3])), ["1", "2", "3"]);
    assert.deepEqual(labelNames(rows(["1.0"], [1])), ["1.0"]);
    assert.deepEqual(labelNames(rows([true, false], ["true", "true"])), ["false", "true"]);
    assert.deepEqual(labelNames(rows([["1"], ["2"]], [[1], [1, 2]])), ["1", "2"]);
    assert.equal(labelNames(rows([1], [true])), undefined);
  });

  it("refuses names on one side and numbers on the other", () => {
    assert.throws(() => labelNames(rows(["bad", "good"], [0, 1])), /names or numbers of classes on both sides/);
    // Scores beside a name are no classes.
    assert.deepEqual(labelNames(rows([[0.9, 0.1]], ["good"])), ["good"]);
  });
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { divideRows } from "../../../core/data/folds.ts";
import { createRandom } from "../../../core/math/random.ts";
import { itPasses } from "../../checks.ts";
import { correctedChecks, foldChecks } from "../../reference/evaluation/folds.ts";
import { itHolds } from "../../reference/evaluation/mod.ts";

const figures = JSON.parse(readFileSync(new URL("../../fixtures/search.json", import.meta.url), "utf8"));
itPasses("folds as scikit-learn divides them", foldChecks(figures.folds));
await itHolds("folds");
itPasses("the corrected interval", correctedChecks(figures.corrected));

describe("shuffled folds", () => {
  const random = createRandom(11);
  for (let set = 0; set < 20; set++) {
    const stream = random.fork("set", set);
    const rows = 30 + Math.floor(70 * stream.uniform(0));
    const folds = 2 + set % 5;
    const classes = Array.from({ length: rows }, (_, i) => Math.floor(3 * stream.fork("class").uniform(i) ** 2));
    const groups = Array.from({ length: rows }, (_, i) => `g${Math.floor(12 * stream.fork("group").uniform(i))}`);
    const sizesOf = (of: Int32Array, some: (row: number) => boolean = () => true): number[] =>
      Array.from({ length: folds }, (_, fold) => of.filter((own, row) => own === fold && some(row)).length);
    const spread = (sizes: readonly number[]): number => Math.max(...sizes) - Math.min(...sizes);
    it(`keep sizes, shares and groups: set ${set}, ${rows} rows in ${folds}`, () => {
      const plain = divideRows({ rows, folds, random: stream });
      assert.ok(spread(sizesOf(plain)) <= 1);
      assert.ok(plain.some((fold, row) => fold !== divideRows({ rows, folds })[row]), "nothing was shuffled");
      assert.deepEqual(divideRows({ rows, folds, random: stream }), plain, "a second time");
      const stratified = divideRows({ rows, folds, classes, random: stream });
      assert.ok(spread(sizesOf(stratified)) <= 1);
      for (const label of [0, 1, 2]) {
        assert.ok(spread(sizesOf(stratified, (row) => classes[row] === label)) <= 1, `${label}`);
      }
      for (const grouped of [{ groups }, { groups, classes }]) {
        const of = divideRows({ rows, folds, random: stream, ...grouped });
        const first = new Map<string, number>();
        of.forEach((fold, row) => {
          const name = groups[row] ?? "";
          assert.equal(first.get(name) ?? fold, fold, `${name} is in two folds`);
          first.set(name, fold);
        });
        assert.ok(sizesOf(of).every((size) => size > 0));
      }
    });
  }
  it("are refused where there is too little of something", () => {
    assert.throws(
      () => divideRows({ rows: 3, folds: 4 }),
      /expected a number from 2 to 3 \(the number of rows\) but found 4/,
    );
    assert.throws(() => divideRows({ rows: 4, folds: 3, classes: [0, 0, 1, 1] }), /rows of the largest class/);
    assert.throws(() => divideRows({ rows: 4, folds: 3, groups: ["a", "a", "b", "b"] }), /the number of groups/);
  });
});

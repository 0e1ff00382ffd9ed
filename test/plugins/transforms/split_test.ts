import assert from "node:assert/strict";
import { it } from "node:test";
import { checksOf } from "../../../conformance/mod.ts";
import type { Row, SplitName } from "../../../core/types.ts";
import { split } from "../../../plugins/transforms/split.ts";
import { itPasses } from "../../checks.ts";
import { through } from "./run_transforms.ts";

const rows: Row[] = Array.from(
  { length: 100 },
  (_, i) => ({ text: `row ${i}`, label: i % 5 === 0 ? "a" : "b", author: Math.floor(i / 7) }),
);
const names: readonly SplitName[] = ["train", "eval", "test"];
const parts = async (options: Parameters<typeof split>[0] = {}, own = rows, seed = 42) =>
  await Promise.all(names.map((name) => through(own, [split(options)], { split: name, seed })));

itPasses("split", checksOf(split(), { rows, isRandom: true, other: split({ sizes: { train: 0.5, eval: 0.5 } }) }));

it("every row is in one split, in its order, and shares are what was asked for", async () => {
  const split = await parts();
  assert.deepEqual(split.map((own) => own.length), [80, 10, 10]);
  assert.equal(new Set(split.flat().map(({ text }) => text)).size, 100);
  for (const part of split) assert.deepEqual(part, rows.filter((row) => part.some(({ text }) => text === row.text)));
  assert.deepEqual(
    (await parts({ sizes: { train: 60, test: 20 } })).map((own) => own.length),
    [60, 0, 20].map((n, i) => i === 1 ? 0 : n),
  );
  assert.deepEqual(
    (await parts({ sizes: { train: 0.7, eval: 0.2, test: 0.1 } }, rows.slice(0, 33))).map((own) => own.length),
    [23, 7, 3],
  );
  assert.notDeepEqual((await parts({}, rows, 1))[2], (await parts({}, rows, 2))[2]);
});

it("stratified, every split has its share of each class", async () => {
  const stratified = await parts({ stratify: "label" });
  assert.deepEqual(stratified.map((own) => own.filter(({ label }) => label === "a").length), [16, 2, 2]);
  assert.deepEqual(stratified.map((own) => own.length), [80, 10, 10]);
});

it("by group, no group is in two splits, and shares are met as well as can be", async () => {
  for (const stratify of [null, "label"]) {
    const grouped = await parts({ sizes: { train: 0.6, eval: 0.2, test: 0.2 }, group: "author", stratify });
    const authors = grouped.map((own) => new Set(own.map(({ author }) => author)));
    assert.equal(authors.reduce((n, own) => n + own.size, 0), 15);
    for (const [i, share] of [60, 20, 20].entries()) {
      assert.ok(Math.abs((grouped[i]?.length ?? 0) - share) <= 7, `${grouped.map((own) => own.length)}`);
    }
  }
});

it("says what cannot be", async () => {
  await assert.rejects(parts({}, rows.slice(0, 2)), /sizes\.(eval|test).*rows in every split of 2/);
  await assert.rejects(parts({ sizes: { train: 90, test: 20 } }), /add up to 100/);
  await assert.rejects(parts({ stratify: "lable" }), /did you mean "label"/);
  assert.throws(() => split({ sizes: { train: 0.9, eval: 0.2 } }), /add up to at most 1/);
  assert.throws(() => split({ sizes: { train: 0.9 } }), /eval or test/);
  assert.throws(() => split({ sizes: { train: 0.5, evl: 0.5 } as never }), /evl/);
});

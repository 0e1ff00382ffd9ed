import assert from "node:assert/strict";
import { it } from "node:test";
import { checksOf } from "../../../conformance/mod.ts";
import type { Row } from "../../../core/types.ts";
import { balance, rowsPerClass, temperatureShares } from "../../../plugins/transforms/balance.ts";
import { reweigh } from "../../../plugins/transforms/reweigh.ts";
import { itPasses } from "../../checks.ts";
import { itHolds } from "../../reference/evaluation/mod.ts";
import { openThrough, through } from "./run_transforms.ts";

const rows: Row[] = Array.from(
  { length: 40 },
  (_, i) => ({ text: `row ${i}`, label: i % 10 === 0 ? "rare" : i % 4 === 1 ? "some" : "many" }),
);
const counts = (found: readonly Row[]) => {
  const all: Record<string, number> = {};
  for (const { label } of found) all[String(label)] = (all[String(label)] ?? 0) + 1;
  return all;
};
const before = counts(rows);

for (const method of ["over", "under", "temperature"] as const) {
  itPasses(
    `balance by ${method}`,
    checksOf(balance({ method }), { rows, isRandom: true, other: balance({ method, rows: 30 }) }),
  );
}
itPasses("balance by weights", checksOf(balance({ method: "weights" }), { rows, other: balance() }));
itPasses(
  "reweigh",
  checksOf(reweigh({ column: "label", label: "text" }), { rows, other: reweigh({ column: "text" }) }),
);

it("repeats or leaves out rows until classes are alike", async () => {
  assert.deepEqual(before, { rare: 4, many: 26, some: 10 });
  const over = await through(rows, [balance()]);
  assert.deepEqual(counts(over), { rare: 26, many: 26, some: 26 });
  // Every row is there, and those of a class as often as each other, to within one.
  for (const row of rows) assert.ok(over.includes(row) || over.some(({ text }) => text === row.text));
  const often = rows.filter(({ label }) => label === "rare").map(({ text }) =>
    over.filter((row) => row.text === text).length
  );
  assert.deepEqual([Math.min(...often), Math.max(...often)], [6, 7]);
  const under = await through(rows, [balance({ method: "under" })]);
  assert.deepEqual(counts(under), { rare: 4, many: 4, some: 4 });
  assert.equal(new Set(under.map(({ text }) => text)).size, 12);
  assert.deepEqual(counts(await through(rows, [balance({ rows: 31 })])), { rare: 11, many: 10, some: 10 });
  const [report] = (await openThrough(rows, [balance({ method: "under" })])).transforms ?? [];
  assert.deepEqual([report?.dropped, report?.out], [{ balanced: 28 }, 12]);
});

it("another seed draws other rows, the same seed the same", async () => {
  const draw = async (seed: number) => JSON.stringify(await through(rows, [balance({ method: "under" })], { seed }));
  assert.equal(await draw(1), await draw(1));
  assert.notEqual(await draw(1), await draw(2));
});

it("weights are n / (k n_k), and multiply those that are there", async () => {
  const weighted = await through(rows, [balance({ method: "weights" })]);
  for (const { label, weight } of weighted) assert.equal(weight, 40 / (3 * (before[String(label)] ?? 0)));
  const twice = await through(rows.map((row) => ({ ...row, weight: 2 })), [balance({ method: "weights" })]);
  twice.forEach((row, i) => assert.equal(row.weight, 2 * Number(weighted[i]?.weight)));
  const asText = await through(rows.map((row) => ({ ...row, weight: "2.0" })), [balance({ method: "weights" })]);
  assert.deepEqual(asText, twice);
  // A number and its text are one class.
  const mixed = await through([{ label: 1 }, { label: "1" }, { label: 0 }], [balance({ method: "weights" })]);
  assert.deepEqual(mixed.map(({ weight }) => weight), [0.75, 0.75, 1.5]);
  await assert.rejects(
    through([{ label: 1, weight: "x" }], [balance({ method: "weights" })]),
    /row 0, column "weight"/,
  );
  await assert.rejects(through(rows, [balance({ column: "lable" })]), /no column "lable", did you mean "label"/);
  assert.throws(() => balance({ method: "weights", rows: 3 }), /keeps all rows/);
});

it("reweighing makes class and group independent, as Kamiran and Calders do", async () => {
  // 3 of 4 in one group are hired, 1 of 4 in the other.
  const people = [[1, 1], [1, 1], [1, 1], [1, 0], [2, 1], [2, 0], [2, 0], [2, 0]].map(([sex, label]) => ({
    sex,
    label,
  }));
  const reweighed = await through(people, [reweigh({ column: "sex" })]);
  assert.deepEqual(reweighed.map(({ weight }) => weight), [16 / 24, 16 / 24, 16 / 24, 2, 2, 16 / 24, 16 / 24, 16 / 24]);
  const sum = (sex: number, label: number) =>
    reweighed.filter((row) => row.sex === sex && row.label === label).reduce((n, { weight }) => n + Number(weight), 0);
  assert.deepEqual([sum(1, 1), sum(1, 0), sum(2, 1), sum(2, 0)], [2, 2, 2, 2]);
});

it("shares by temperature, with a cap", () => {
  const near = (found: readonly number[], expected: readonly number[]) =>
    found.forEach((x, i) => assert.ok(Math.abs(x - (expected[i] ?? NaN)) < 1e-12, `${found} ${expected}`));
  near(temperatureShares([100, 25], 2, null), [10 / 15, 5 / 15]);
  near(temperatureShares([1000, 100, 10], 1, 100), [100 / 210, 100 / 210, 10 / 210]);
  assert.deepEqual(rowsPerClass([90, 10], { method: "temperature", temperature: 2, cap: null, rows: null }), [75, 25]);
});

await itHolds("balance");

import assert from "node:assert/strict";
import { it } from "node:test";
import { createReservoir, drawnRows } from "../../../core/run/evaluate/drawn_rows.ts";

it("rows that stand for all are drawn from all of them, the same ones by the same seed", () => {
  const rows = Array.from({ length: 5000 }, (_, i) => i);
  const chosen = (seed: number): number[] => rows.filter(drawnRows(rows.length, 500, seed));
  assert.equal(chosen(1).length, 500);
  assert.deepEqual(chosen(1), chosen(1));
  assert.notDeepEqual(chosen(1), chosen(2));
  const perPart = Array.from({ length: 5 }, (_, k) => chosen(3).filter((row) => Math.floor(row / 1000) === k).length);
  assert.ok(perPart.every((n) => n > 60 && n < 140), `${perPart}`);
  assert.ok(rows.every(drawnRows(rows.length, 5000, 1)));
});

it("a reservoir keeps each item with the same chance, in the order in which they came", () => {
  const times = new Float64Array(200);
  for (let seed = 0; seed < 2000; seed++) {
    const reservoir = createReservoir<number>(20, seed);
    for (let i = 0; i < 200; i++) reservoir.add(i);
    const items = reservoir.items();
    assert.equal(items.length, 20);
    assert.deepEqual([...items].sort((a, b) => a - b), items);
    for (const item of items) times[item] = (times[item] ?? 0) + 1;
  }
  // Each 200 times, give or take five standard deviations.
  assert.ok(times.every((n) => Math.abs(n - 200) < 5 * Math.sqrt(2000 * 0.1 * 0.9)), `${times}`);
  const few = createReservoir<string>(20, 1);
  for (const item of "abc") few.add(item);
  assert.deepEqual(few.items(), ["a", "b", "c"]);
});

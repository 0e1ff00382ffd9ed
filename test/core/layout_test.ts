/**
 * Laying samples out as batches: labels of places.
 * @module
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { layOut, plainLayout } from "../../core/loop/layout.ts";
import type { Sample } from "../../core/types.ts";

const sample = (row: number, ids: number[], labels: number[]): Sample => ({
  sequences: [{
    length: ids.length,
    fields: {
      input_ids: { per: "token", data: Int32Array.from(ids), fill: 0 },
      labels: { per: "token", data: Int32Array.from(labels), fill: -100, ignore: -100 },
    },
  }],
  targets: {},
  row,
});
const samples = [sample(0, [1, 2, 3], [-100, 7, -100]), sample(1, [4, 5], [8, 9])];

for (const share of [false, true]) {
  it(`labels of places are those that count, and where they are (${share ? "shared rows" : "padded"})`, () => {
    const { inputs } = layOut(samples, { ...plainLayout, share });
    const ids = inputs.input_ids?.data ?? [];
    const at = [...inputs["labels.at"]?.data as Int32Array];
    assert.deepEqual(inputs.labels?.dims, [3]);
    assert.deepEqual(at, [...at].sort((a, b) => a - b));
    const found = at.map((place, i) => [Number(ids[place]), Number(inputs.labels?.data[i])]);
    assert.deepEqual(new Map(found as [number, number][]), new Map([[2, 7], [4, 8], [5, 9]]));
  });
}

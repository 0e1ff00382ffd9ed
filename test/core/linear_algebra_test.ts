import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { qr, topSingular } from "../../core/math/linear_algebra.ts";
import { createRandom } from "../../core/math/random.ts";
import { allNear } from "../near.ts";

function random(n: number, seed: number): Float64Array {
  const stream = createRandom(seed).fork("test");
  return Float64Array.from({ length: n }, (_, i) => stream.normal(i));
}

function times(a: Float64Array, b: Float64Array, rows: number, inner: number, columns: number): Float64Array {
  return Float64Array.from({ length: rows * columns }, (_, k) => {
    const [i, j] = [Math.floor(k / columns), k % columns];
    let sum = 0;
    for (let l = 0; l < inner; l++) sum += (a[i * inner + l] ?? 0) * (b[l * columns + j] ?? 0);
    return sum;
  });
}

const transposed = (a: Float64Array, rows: number, columns: number): Float64Array =>
  Float64Array.from({ length: a.length }, (_, k) => a[(k % rows) * columns + Math.floor(k / rows)] ?? 0);

/** W vₖ = sₖ uₖ, Wᵀ uₖ = sₖ vₖ, vectors orthonormal, values in falling order. */
function checkSingular(w: Float64Array, rows: number, columns: number, count: number): Float64Array {
  const { u, s, v } = topSingular(w, rows, columns, count);
  const scale = Math.max(s[0] ?? 0, 1e-300);
  for (let k = 0; k < count; k++) {
    const [uk, vk] = [u.subarray(k * rows, (k + 1) * rows), v.subarray(k * columns, (k + 1) * columns)];
    allNear(times(w, vk, rows, columns, 1), uk.map((x) => x * (s[k] ?? 0)), 1e-9 * scale);
    allNear(times(uk, w, 1, rows, columns), vk.map((x) => x * (s[k] ?? 0)), 1e-9 * scale);
    assert.ok(k === 0 || (s[k] ?? 0) <= (s[k - 1] ?? 0));
  }
  allNear(
    times(v, transposed(v, count, columns), count, columns, count),
    Float64Array.from({ length: count * count }, (_, i) => (i % (count + 1) === 0 ? 1 : 0)),
    1e-9,
  );
  return s;
}

describe("decompositions", () => {
  for (const [rows, columns] of [[7, 4], [4, 7], [6, 6], [1, 5]] as const) {
    it(`QR of ${rows} x ${columns}`, () => {
      const w = random(rows * columns, rows);
      const k = Math.min(rows, columns);
      const { q, r } = qr(w, rows, columns);
      allNear(times(q, r, rows, k, columns), w, 1e-12);
      const gram = times(transposed(q, rows, k), q, k, rows, k);
      allNear(gram, Float64Array.from({ length: k * k }, (_, i) => (i % (k + 1) === 0 ? 1 : 0)), 1e-12);
    });
    it(`singular values of ${rows} x ${columns}`, () => {
      checkSingular(random(rows * columns, rows + 9), rows, columns, Math.min(rows, columns));
    });
  }
  it("of equal singular values", () => {
    const s = checkSingular(Float64Array.from([2, 0, 0, 0, 2, 0, 0, 0, 1]), 3, 3, 3);
    allNear(s, [2, 2, 1], 1e-12);
  });
  it("of a large matrix, as of the whole", () => {
    const [rows, columns] = [150, 120];
    const w = random(rows * columns, 3);
    const top = checkSingular(w, rows, columns, 6);
    allNear(top, topSingular(w, rows, columns, columns).s.subarray(0, 6), 1e-9);
  });
  it("of a large matrix of low rank", () => {
    const w = times(random(150 * 3, 1), random(3 * 130, 2), 150, 3, 130);
    const { s } = topSingular(w, 150, 130, 5);
    assert.ok((s[2] ?? 0) > 1 && (s[3] ?? 1) < 1e-9);
  });
  it("of nothing", () => allNear(topSingular(new Float64Array(150 * 120), 150, 120, 4).s, [0, 0, 0, 0], 0));
});

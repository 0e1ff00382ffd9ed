import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRandom, fillNormal, fillUniform, permutation, philox4x32 } from "../../core/math/random.ts";

const hex = (words: readonly number[]): string => words.map((w) => w.toString(16).padStart(8, "0")).join(" ");

describe("philox4x32-10", () => {
  // The known answers of Random123, its authors' library.
  const ones = 0xffffffff;
  it("zeros", () => assert.equal(hex(philox4x32([0, 0, 0, 0], [0, 0])), "6627e8d5 e169c58d bc57ac4c 9b00dbd8"));
  it("ones", () =>
    assert.equal(hex(philox4x32([ones, ones, ones, ones], [ones, ones])), "408f276d 41c83b0e a20bc7c6 6d5451fd"));
  it("digits of pi", () =>
    assert.equal(
      hex(philox4x32([0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0])),
      "d16cfe09 94fdcceb 5001e420 24126ea1",
    ));
});

describe("random streams", () => {
  it("are addressed, not advanced", () => {
    const random = createRandom(5);
    const late = random.uniform(1000);
    for (let i = 0; i < 100; i++) random.uniform(i);
    assert.equal(random.uniform(1000), late);
  });
  it("differ by seed and path, and do not confuse paths", () => {
    const keys = [
      createRandom(1),
      createRandom(2),
      createRandom(1).fork("a"),
      createRandom(1).fork("b"),
      createRandom(1).fork(1),
      createRandom(1).fork("1"),
      createRandom(1).fork("a", "b"),
      createRandom(1).fork("ab"),
      createRandom(1).fork("a", 1),
      createRandom(1).fork("abcd"),
      createRandom(1).fork("abcd", ""),
    ];
    assert.equal(new Set(keys.map((r) => r.key.join())).size, keys.length);
  });
  it("are uniform and normal enough", () => {
    const n = 20_000;
    const random = createRandom(9);
    const mean = Array.from({ length: n }, (_, i) => random.uniform(i)).reduce((a, b) => a + b, 0) / n;
    assert.ok(Math.abs(mean - 0.5) < 0.01, `${mean}`);
    const normals = new Float32Array(n);
    fillNormal(random, normals, 2);
    const variance = normals.reduce((a, b) => a + b * b, 0) / n;
    assert.ok(Math.abs(variance - 4) < 0.15, `${variance}`);
  });
  it("fill uniforms within their bound", () => {
    const values = new Float32Array(5000);
    fillUniform(createRandom(2), values, 0.5);
    assert.ok(values.every((x) => Math.abs(x) <= 0.5));
    assert.ok(values.some((x) => x > 0.49) && values.some((x) => x < -0.49));
  });
  it("are addressed far beyond 32 bits", () => {
    const random = createRandom(7);
    const indices = [0, 2 ** 31, 2 ** 32, 2 ** 34, 2 ** 36, 2 ** 50, 2 ** 52 - 1];
    assert.equal(new Set(indices.map((i) => random.bits(i))).size, indices.length);
    assert.ok(indices.every((i) => Number.isFinite(random.normal(i))));
    // The counter's first two words are the block's number.
    assert.equal(random.bits(2 ** 36 + 1), philox4x32([0, 4, 0, 0], random.key)[1]);
  });
  it("take seeds of 64 bits", () => {
    assert.deepEqual(createRandom((5n << 32n) | 7n).key, [7, 5]);
    assert.deepEqual(createRandom(-1).key, [0xffffffff, 0xffffffff]);
    assert.deepEqual(createRandom(2 ** 33 + 1).key, [1, 2]);
  });
  it("refuse seeds and path numbers that are not whole", () => {
    for (const seed of [0.5, NaN, Infinity]) assert.throws(() => createRandom(seed), /seed: expected a whole number/);
    for (const part of [0.5, NaN, 2 ** 53]) assert.throws(() => createRandom(1).fork(part), /path: expected text or/);
  });
  it("shuffle all of 0 to n-1", () => {
    for (const n of [0, 1, 2, 50]) {
      assert.deepEqual([...permutation(createRandom(1), n)].sort((a, b) => a - b), [...Array(n).keys()]);
    }
  });
  it("shuffle without favour", () => {
    // Every order of three numbers, 6000 times in all: χ² with 5 degrees of freedom is below 20.5 but 1 time in 1000.
    const seen = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = permutation(createRandom(1).fork(i), 3).join();
      seen.set(order, (seen.get(order) ?? 0) + 1);
    }
    assert.equal(seen.size, 6);
    assert.ok([...seen.values()].reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0) < 20.5);
  });
  it("have the same bits on every engine", () => {
    const random = createRandom(42).fork("pinned");
    assert.deepEqual([0, 1, 2].map((i) => random.normal(i)), [
      -0.10129398243935285,
      -0.8391356784743818,
      -0.6764598314392832,
    ]);
    assert.deepEqual([random.bits(9), ...random.key], [587436518, 3532576454, 3875284820]);
    const values = new Float32Array(10_000);
    fillNormal(random, values, 0.02);
    assert.equal(checksum(values), 4215631377);
    assert.deepEqual([...permutation(random, 8)], [3, 0, 5, 2, 4, 1, 6, 7]);
  });
});

function checksum(values: Float32Array): number {
  return new Uint32Array(values.buffer).reduce((hash, word) => Math.imul(hash ^ word, 0x01000193), 0x811c9dc5) >>> 0;
}

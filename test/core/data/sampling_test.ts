import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createRandom, permutation, seekablePermutation } from "../../../core/math/random.ts";
import { epochOrder, orderOfEpoch } from "../../../core/data/sampling.ts";

const random = createRandom(7);
const lengthOf = (seed: number) => (index: number): number => createRandom(seed).bits(index) % 20;

describe("the order of an epoch", () => {
  it("is a permutation, whatever the strategy", () =>
    fc.assert(
      fc.property(fc.nat(300), fc.integer({ min: 1, max: 9 }), fc.nat(), (count, batchSize, seed) => {
        for (const strategy of ["random", "sequential", "group_by_length"] as const) {
          const random = createRandom(seed);
          const order = epochOrder({ count, strategy, batchSize, random, lengths: lengthOf(seed) });
          assert.deepEqual([...order].sort((a, b) => a - b), Array.from({ length: count }, (_, i) => i));
          assert.deepEqual(order, epochOrder({ count, strategy, batchSize, random, lengths: lengthOf(seed) }));
        }
      }),
      { numRuns: 50 },
    ));
  it("is the rows' own, or the stream's permutation", () => {
    assert.deepEqual([...epochOrder({ count: 3, strategy: "sequential", batchSize: 1, random })], [0, 1, 2]);
    assert.deepEqual(epochOrder({ count: 50, strategy: "random", batchSize: 4, random }), permutation(random, 50));
  });
  it("groups by length as LengthGroupedSampler does", () => {
    // get_length_grouped_indices of transformers, written out on the same permutation.
    const expected = (count: number, batchSize: number, lengths: (i: number) => number): number[] => {
      const mult = Math.min(Math.floor(count / (batchSize * 4)), 50) || 1;
      const indices = [...permutation(random, count)];
      const megabatches: number[][] = [];
      for (let i = 0; i < count; i += mult * batchSize) {
        megabatches.push(indices.slice(i, i + mult * batchSize).sort((a, b) => lengths(b) - lengths(a)));
      }
      const maxima = megabatches.map((m) => lengths(m[0] ?? 0));
      const first = megabatches[0] ?? [];
      const longest = megabatches[maxima.indexOf(Math.max(...maxima))] ?? [];
      [first[0], longest[0]] = [longest[0] ?? 0, first[0] ?? 0];
      return megabatches.flat();
    };
    for (const [count, batchSize] of [[1, 4], [7, 4], [97, 4], [1000, 3], [2001, 8]] as const) {
      const lengths = lengthOf(count);
      const order = epochOrder({ count, strategy: "group_by_length", batchSize, random, lengths });
      assert.deepEqual([...order], expected(count, batchSize, lengths));
    }
  });
  it("has the longest row in front", () => {
    const lengths = (i: number): number => (i === 777 ? 1000 : i % 13);
    const order = epochOrder({ count: 1000, strategy: "group_by_length", batchSize: 2, random, lengths });
    assert.equal(order[0], 777);
  });
});

describe("the order of an epoch of many rows", () => {
  it("is a permutation without a table, another one for another stream, the same bits everywhere", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.nat(), (count, seed) => {
        const at = seekablePermutation(createRandom(seed), count);
        const order = Array.from({ length: count }, (_, place) => at(place));
        assert.deepEqual(order.toSorted((a, b) => a - b), Array.from({ length: count }, (_, i) => i));
      }),
      { numRuns: 50 },
    );
    const first = (seed: number): number[] => {
      const at = seekablePermutation(createRandom(seed), 10_000_000);
      return [0, 1, 2, 9_000_000, 9_999_999].map(at);
    };
    assert.deepEqual(first(7), [4204580, 1426269, 7906563, 8276677, 1969771]);
    assert.notDeepEqual(first(7), first(8));
  });
  it("mixes: rows lie anywhere, and neighbours do not stay together", () => {
    const count = 1 << 20;
    const at = seekablePermutation(random, count);
    const cells = new Int32Array(64);
    let [near, places] = [0, 0];
    for (let place = 0; place < 64_000; place++) {
      const row = at(place);
      const cell = Math.floor(row / (count / 64));
      cells[cell] = (cells[cell] ?? 0) + 1;
      if (Math.abs(at(place + 1) - row) < count / 100) near++;
      places++;
    }
    // Chi-squared of 63 degrees is below 110 but for one case in 5000; 2 % of neighbours are that near by chance.
    assert.ok(cells.reduce((sum, n) => sum + (n - 1000) ** 2 / 1000, 0) < 110);
    assert.ok(Math.abs(near / places - 0.02) < 0.003, `${near / places}`);
  });
  it("is that of few rows where they are few, and cut alike", () => {
    for (const strategy of ["random", "sequential", "group_by_length"] as const) {
      const options = { count: 1003, strategy, batchSize: 4, random, lengths: lengthOf(3) };
      const order = orderOfEpoch(options);
      assert.deepEqual([...order(40, 60), ...order(1000, 1010)], [
        ...epochOrder(options).subarray(40, 60),
        ...epochOrder(options).subarray(1000),
      ]);
    }
  });
  it("groups by length from any place, with the longest row in front", () => {
    const lengths = (row: number): number => (row === 777 ? 1000 : lengthOf(5)(row));
    const options = { count: 2001, strategy: "group_by_length", batchSize: 8, random, lengths } as const;
    const order = orderOfEpoch(options, 100);
    const all = [...order(0, 2001)];
    assert.deepEqual(all.toSorted((a, b) => a - b), Array.from({ length: 2001 }, (_, i) => i));
    assert.equal(all[0], 777);
    assert.deepEqual([...orderOfEpoch(options, 100)(1500, 1520)], all.slice(1500, 1520));
    // But for the two that changed places, each megabatch of 50 batches is sorted.
    const sizes = all.slice(400, 800).map(lengths);
    const falls = sizes.filter((length, i) => i > 0 && length > (sizes[i - 1] ?? 0)).length;
    assert.ok(falls <= 1, `${falls} rises`);
  });
});

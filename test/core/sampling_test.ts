import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { createRandom, permutation } from "../../core/random.ts";
import { epochOrder } from "../../core/sampling.ts";

const random = createRandom(7);
const lengthOf = (seed: number) => (index: number): number => createRandom(seed).bits(index) % 20;

describe("the order of an epoch", () => {
  it("is a permutation, whatever the strategy", () =>
    fc.assert(
      fc.property(fc.nat(300), fc.integer({ min: 1, max: 9 }), fc.nat(), (count, batchSize, seed) => {
        for (const strategy of ["random", "sequential", "group_by_length"] as const) {
          const own = createRandom(seed);
          const order = epochOrder({ count, strategy, batchSize, random: own, lengths: lengthOf(seed) });
          assert.deepEqual([...order].sort((a, b) => a - b), Array.from({ length: count }, (_, i) => i));
          assert.deepEqual(order, epochOrder({ count, strategy, batchSize, random: own, lengths: lengthOf(seed) }));
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

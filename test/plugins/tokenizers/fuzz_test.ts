/**
 * Random texts with random tokenizers: ids, places, types, words and decoded texts are those of Python's library. All batches
 * are in test/slow/tokenizer_fuzz_test.ts.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { batchOf, expected, hashOf } from "./fuzz.ts";

describe("random tokenizers", () => {
  it("give what Python's library gives, the first ones in full", async () => {
    const pairs = await batchOf(0);
    expected.first.forEach((result, i) => assert.equal(pairs[i]?.result, result, JSON.stringify(pairs[i])));
    assert.equal(hashOf(pairs), expected.hashes[0]);
  });
  it("and others by their hash", async () => {
    for (let batch = 1; batch < 4; batch++) {
      assert.equal(hashOf(await batchOf(batch)), expected.hashes[batch], `${batch}`);
    }
  });
});

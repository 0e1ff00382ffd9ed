/** 200,000 pairs of a random tokenizer and a random text, by the hash of each thousand. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { batchOf, expected, hashOf } from "../plugins/tokenizers/fuzz.ts";

it(`${expected.hashes.length * expected.pairs} pairs are as Python's library has them`, async () => {
  const wrong: number[] = [];
  for (const [batch, hash] of expected.hashes.entries()) if (hashOf(await batchOf(batch)) !== hash) wrong.push(batch);
  assert.deepEqual(wrong, []);
});

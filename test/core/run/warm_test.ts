import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { train } from "../../../core/run/train/train_whole.ts";
import { createWarmParts } from "../../../core/run/rows/warm.ts";
import type { Collator, Json, Kind, Named, Run, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { host, specOf } from "../../plugins/tasks/helpers.ts";
import { tinyRows } from "../../tiny.ts";

const reviews = { use: "sequence-classification", with: { labels: ["bad", "good"] } };
const run = (training: Named<Json> = {}, change: Named<Json> = {}): Run =>
  compose(
    specOf(reviews, tinyRows, { ...change, training: { maxSteps: 3, ...training } }) as unknown as RunSpec,
    catalog,
  );

/** A run whose rows are counted as they are encoded, and the tokenizers as they are opened. */
function counted(run: Run, counts: { rows: number; tokenizers: number }): Run {
  const counting = (collator: Collator): Collator => ({
    ...collator,
    encode: (...args) => (counts.rows++, collator.encode(...args)),
  });
  const use = ((kind: Kind, part: never) => {
    const plugin = run.use(kind, part);
    return kind === "collator" ? counting(plugin as unknown as Collator) : plugin;
  }) as Run["use"];
  const open: Run["tokenizer"]["open"] = (files) => {
    counts.tokenizers++;
    return run.tokenizer.open(files);
  };
  return { ...run, use, tokenizer: { ...run.tokenizer, open } };
}

describe("runs of one process", () => {
  const both = 2 * tinyRows.length;
  it("encode rows once that they read alike, and come to what they come to alone", async () => {
    const [here, shared, counts] = [await host(), createWarmParts(), { rows: 0, tokenizers: 0 }];
    for (const learningRate of [0.01, 0.02, 0.003]) {
      const alone = await train(run({ learningRate }), here);
      assert.deepEqual(await train(shared(counted(run({ learningRate }), counts)), here), alone);
    }
    assert.deepEqual(counts, { rows: both, tokenizers: 1 });
  });
  it("encode them anew where something is different that samples depend on", async () => {
    const [here, shared, counts] = [await host(), createWarmParts(), { rows: 0, tokenizers: 0 }];
    const warm = async (...args: Parameters<typeof run>): Promise<number> => {
      counts.rows = 0;
      const alone = await train(run(...args), here);
      assert.deepEqual(await train(shared(counted(run(...args), counts)), here), alone);
      return counts.rows;
    };
    assert.equal(await warm(), both);
    assert.equal(await warm({ maxLength: 3 }), both);
    const prompts = { use: "prompt-tuning", with: { numVirtualTokens: 4 } };
    assert.equal(await warm({}, { adapter: prompts }), both, "room for virtual tokens");
    assert.equal(await warm({ maxLength: 3 }), 0);
    assert.equal(await warm({}, { adapter: { use: "lora", with: { r: 2 } } }), 0);
    assert.equal(await warm({ seed: 7 }), both);
  });
  it("keep no more than a few at a time", async () => {
    const [here, shared, counts] = [await host(), createWarmParts(), { rows: 0, tokenizers: 0 }];
    for (let seed = 0; seed < 6; seed++) await train(shared(counted(run({ seed }), counts)), here);
    counts.rows = 0;
    await train(shared(counted(run({ seed: 0 }), counts)), here);
    assert.equal(counts.rows, both, "the first went");
    await train(shared(counted(run({ seed: 0 }), counts)), here);
    assert.equal(counts.rows, both);
  });
});

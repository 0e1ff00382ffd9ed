import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { compose } from "../../../core/spec/compose.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import type { EncodeOptions, Encoding, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hf } from "../../../plugins/tokenizers/hf.ts";
import { transformers } from "../../../plugins/tokenizers/transformers.ts";
import { directoryStore } from "../../../runtimes/host/directory_store.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinySpec } from "../../tiny.ts";

const base = directoryStore(fileURLToPath(new URL("../../../plugins/models/base", import.meta.url)));
const shown = (windows: readonly Encoding[]): unknown =>
  windows.map(({ ids, typeIds, specialTokensMask, sequenceIds }) =>
    [ids, typeIds, specialTokensMask, sequenceIds].map((a) => [...a])
  );

describe("transformers.js's tokenizers", () => {
  it("give the ids, types and windows that ours give, and the same texts", async () => {
    const [theirs, ours] = [await transformers({}).open(base), await hf({}).open(base)];
    const cases: readonly (readonly [string, EncodeOptions])[] = [
      ["A great film, and not a long one!", {}],
      ["", {}],
      ["x", { textPair: "" }],
      ["Ein schöner Film – 日本 🎬", { addSpecialTokens: false }],
      ["one two three", { textPair: "four five", maxLength: 6, truncation: true }],
      ["one two three", { textPair: "four five", maxLength: 6, truncation: "only_first" }],
      ["one two three four five six", { maxLength: 5, truncation: true, stride: 1, returnOverflowingTokens: true }],
    ];
    for (const [text, options] of cases) {
      assert.deepEqual(
        shown(theirs.encode(text, options)),
        shown(ours.encode(text, options)),
        JSON.stringify([text, options]),
      );
    }
    const ids = [2, 42, 507, 301, 18, 3];
    assert.equal(theirs.decode(ids, { skipSpecialTokens: true }), ours.decode(ids, { skipSpecialTokens: true }));
    assert.deepEqual([theirs.vocabSize, theirs.specialTokenIds, theirs.paddingSide], [
      ours.vocabSize,
      ours.specialTokenIds,
      ours.paddingSide,
    ]);
    assert.notEqual(theirs.fingerprint, ours.fingerprint);
  });
  it("say that they have no offsets, and take no words", async () => {
    const tokenizer = await transformers({}).open(base);
    assert.throws(() => tokenizer.encode("a film")[0].offsets, /it computes none; use the tokenizer "hf"/);
    assert.throws(() => tokenizer.encode(["a", "film"]), /it takes only texts/);
  });
  it("train a run to the losses of ours", async () => {
    const host = tinyHost(await hostHere(1));
    const losses: number[][] = [];
    for (const tokenizer of ["hf", "transformers"]) {
      const ids: number[] = [];
      const spec = { ...tinySpec({ training: { maxSteps: 2 } }), tokenizer };
      for await (const event of trainRun(compose(spec as unknown as RunSpec, catalog), host, {})) {
        if (event.type === "step") ids.push(event.loss);
      }
      losses.push(ids);
    }
    assert.equal(losses[0]?.length, 2);
    assert.deepEqual(losses[1], losses[0]);
  });
  it("open what a run writes: added tokens too", async () => {
    const output = directoryStore(mkdtempSync(`${tmpdir()}/attune-written-`));
    const spec = {
      ...tinySpec({ training: { maxSteps: 1 } }),
      tokenizer: { use: "hf", with: { addTokens: ["<film>"] } },
    };
    for await (
      const _ of trainRun(compose(spec as unknown as RunSpec, catalog), tinyHost(await hostHere(1)), { output })
    );
    const written = {
      ...output,
      get: (key: string, range?: { offset: number; length: number }) => output.get(`model/${key}`, range),
    };
    const [theirs, ours] = [await transformers({}).open(written), await hf({}).open(written)];
    const text = "good <film> bad";
    assert.deepEqual([...theirs.encode(text)[0].ids], [...ours.encode(text)[0].ids]);
    assert.ok(ours.encode(text)[0].ids.includes(ours.vocabSize - 1), "the added token is one id");
  });
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { Json, Named } from "../../../core/types.ts";
import { ggufTokenizer } from "../../../plugins/models/pretrained/gguf/tokenizer.ts";
import { hf } from "../../../plugins/tokenizers/hf.ts";
import { heldStore } from "../../tiny.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";

type Case = Readonly<{
  vocabulary: string;
  more: Named<Json>;
  ids: readonly (readonly number[])[];
  bos: boolean;
  eos: boolean;
}>;
/** What test/fixtures/gguf_tokens.py had llama.cpp say. */
const figures: Readonly<{ texts: readonly string[]; vocabularies: Named<Named<Json>>; cases: readonly Case[] }> = JSON
  .parse(readFileSync(new URL("../../fixtures/gguf_tokens.json", import.meta.url), "utf8"));

/** The tokenizer of a file that says this of its tokens. */
async function tokenizerOf(vocabulary: Named<Json>, more: Named<Json> = {}) {
  const metadata = Object.fromEntries(
    Object.entries(vocabulary).map(([name, value]) => [`tokenizer.ggml.${name}`, value]),
  );
  const files = Object.entries(ggufTokenizer({ ...metadata, ...more }));
  return await hf().open(heldStore(Object.fromEntries(
    files.map(([name, value]) => [name, jsonBytes(value)]),
  )));
}

describe("a GGUF file's tokens are llama.cpp's", () => {
  for (const { vocabulary, more, ids, bos, eos } of figures.cases) {
    const vocabularyFigures = figures.vocabularies[vocabulary] ?? {};
    it(`${vocabulary} ${JSON.stringify(more)}`, async () => {
      const tokenizer = await tokenizerOf({ ...vocabularyFigures, ...more });
      for (const [i, text] of figures.texts.entries()) {
        const found = [...tokenizer.encode(text, { addSpecialTokens: false })[0].ids];
        assert.deepEqual(found, ids[i], JSON.stringify(text));
      }
      const around = [...tokenizer.encode("a")[0].ids];
      assert.equal(around[0] === vocabularyFigures.bos_token_id, bos);
      assert.equal(around.at(-1) === vocabularyFigures.eos_token_id, eos);
    });
  }
});

describe("what a GGUF file says of its tokens", () => {
  const bytes = figures.vocabularies.bytes ?? {};
  it("is refused where it names a pre-tokenizer, a kind of vocabulary, or a token twice that there is not", async () => {
    await assert.rejects(tokenizerOf({ ...bytes, pre: "no-such" }), /tokenizer\.ggml\.pre.*no-such.*gpt-2/);
    await assert.rejects(tokenizerOf({ ...bytes, model: "rwkv" }), /tokenizer\.ggml\.model.*rwkv/);
    await assert.rejects(tokenizerOf({ ...bytes, tokens: ["a", "b", "a"] }), /has "a" as token 0 and 2/);
    await assert.rejects(tokenizerOf({ ...bytes, tokens: [1, 2] }), /tokenizer\.ggml\.tokens/);
    await assert.rejects(tokenizerOf({ ...figures.vocabularies.scored, scores: [1] }), /tokenizer\.ggml\.scores/);
  });
  it("Phi-3's tokens take the blanks behind them, others' do not", async () => {
    const id = (bytes.tokens as string[]).indexOf("<|im_end|>");
    const ids = async (name: string): Promise<number[]> => {
      const tokenizer = await tokenizerOf(bytes, { "general.name": name });
      return [...tokenizer.encode("<|im_end|>\n", { addSpecialTokens: false })[0].ids];
    };
    assert.deepEqual(await ids("Phi-3 Mini"), [id]);
    assert.equal((await ids("Other")).length, 2);
  });
});

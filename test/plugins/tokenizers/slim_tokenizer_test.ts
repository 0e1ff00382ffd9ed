/** Pruned vocabularies: texts made of kept tokens read as before, others in smaller pieces. */
import assert from "node:assert/strict";
import { it } from "node:test";
import type { Json, Named, Tokenizer } from "../../../core/types.ts";
import { hf } from "../../../plugins/tokenizers/hf.ts";
import { slimTokenizer } from "../../../plugins/tokenizers/hf/slim_tokenizer.ts";
import { trainWordPiece } from "../../../plugins/tokenizers/hf/train_word_piece.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";

const host = await hostHere(1);

async function opened(tokenizerJson: Named<Json>, tokenizerConfig: Named<Json>): Promise<Tokenizer> {
  const store = await memory().open(host);
  const put = (name: string, value: Json) => store.put(name, jsonBytes(value));
  await put("tokenizer.json", tokenizerJson);
  await put("tokenizer_config.json", tokenizerConfig);
  return await hf().open(store);
}

function countsOf(tokenizer: Tokenizer, texts: readonly string[]): Map<number, number> {
  const counts = new Map<number, number>();
  for (const text of texts) for (const id of tokenizer.encode(text)[0].ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

const used = ["low lower lowest", "new newer newest", "wide wider"];
const all = [...used, "happy happier happiest unhappy", "quick quicker quickest"];

it("WordPiece: the same tokens for the texts that count, smaller ones for others", async () => {
  const { tokenizerJson, tokenizerConfig } = trainWordPiece(all, { vocabSize: 90, minFrequency: 1 });
  const whole = await opened(tokenizerJson, tokenizerConfig);
  const { tokenizerJson: slim, oldIds: rowsKept } = slimTokenizer(tokenizerJson, {
    counts: countsOf(whole, used),
    vocabSize: 60,
  });
  const small = await opened(slim, tokenizerConfig);
  assert.ok(small.vocabSize < whole.vocabSize);
  assert.equal(rowsKept.length, small.vocabSize);
  for (const text of used) {
    assert.deepEqual([...small.encode(text)[0].ids].map((id) => rowsKept[id]), [...whole.encode(text)[0].ids]);
  }
  const { ids } = small.encode("happiest")[0];
  assert.ok(ids.length > whole.encode("happiest")[0].ids.length);
  assert.equal(small.decode(ids, { skipSpecialTokens: true }), "happiest");
});

it("BPE: what kept tokens are merged from stays, too", async () => {
  const tokens = ["a", "b", "c", "d", "ab", "abc", "cd", "<s>"];
  const json = {
    version: "1.0",
    added_tokens: [{
      id: 7,
      content: "<s>",
      special: true,
      normalized: false,
      single_word: false,
      lstrip: false,
      rstrip: false,
    }],
    normalizer: null,
    pre_tokenizer: { type: "Whitespace" },
    post_processor: {
      type: "TemplateProcessing",
      single: [{ SpecialToken: { id: "<s>", type_id: 0 } }, { Sequence: { id: "A", type_id: 0 } }],
      pair: [{ Sequence: { id: "A", type_id: 0 } }, { Sequence: { id: "B", type_id: 1 } }],
      special_tokens: { "<s>": { id: "<s>", ids: [7], tokens: ["<s>"] } },
    },
    decoder: null,
    model: { type: "BPE", vocab: Object.fromEntries(tokens.map((t, i) => [t, i])), merges: ["a b", "ab c", "c d"] },
  } as unknown as Named<Json>;
  const config = { tokenizer_class: "PreTrainedTokenizerFast" };
  const whole = await opened(json, config);
  const { tokenizerJson, oldIds: rowsKept } = slimTokenizer(json, { counts: countsOf(whole, ["abc"]), vocabSize: 7 });
  assert.deepEqual([...rowsKept].map((id) => tokens[id]), ["a", "b", "c", "d", "ab", "abc", "<s>"]);
  const small = await opened(tokenizerJson, config);
  const texts = (tokenizer: Tokenizer, text: string, of: readonly number[]) =>
    [...tokenizer.encode(text)[0].ids].map((id) => tokens[of[id] ?? -1]);
  assert.deepEqual(texts(small, "abc", [...rowsKept]), ["<s>", "abc"]);
  assert.deepEqual(texts(small, "cd", [...rowsKept]), ["<s>", "c", "d"]);
});

it("other kinds are refused by name", () => {
  const unigram = { model: { type: "Unigram", vocab: [] }, added_tokens: [] };
  assert.throws(() => slimTokenizer(unigram, { counts: new Map(), vocabSize: 5 }), /model\.type.*Unigram/);
});

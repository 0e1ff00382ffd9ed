import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Tokenizer as Native } from "tokenizers";
import type { Tokenizer } from "../../../core/types.ts";
import { codePointOffsets } from "../../../blocks/tokenizer/mod.ts";
import { hf } from "../../../plugins/tokenizers/hf.ts";
import { trainWordPiece } from "../../../plugins/tokenizers/hf/train_word_piece.ts";
import { windowsOf } from "../../../blocks/tokenizer/truncate.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { checkTokenizerReference } from "../../reference/tokenizers.ts";
import { sharedPath, SKIP_REASON } from "../../shared.ts";
import { tinyHost, tinyRows, tinyTokenizer } from "../../tiny.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";

async function tiny(files: Readonly<Record<string, Uint8Array>> = {}): Promise<Tokenizer> {
  const store = tinyHost(await hostHere(1), files).directory?.("tiny:model");
  if (!store) throw new Error("no store");
  return await hf().open(store);
}

describe("tokenizers equal the original's", () => {
  // What is compared in each: kinds whose offsets are not exact yet are held to their ids.
  const all = new Set(["ids", "offsets", "wordIds", "decoded"]);
  const kinds: Readonly<Record<string, ReadonlySet<string>>> = {
    minilm: all,
    "wordpiece-cased": all,
    wordpiece: new Set(["ids", "wordIds", "decoded"]),
    gpt2: all,
    llama3: all,
    roberta: new Set(["ids", "offsets", "decoded"]),
    falcon: new Set(["ids", "offsets", "decoded"]),
    qwen2: new Set(["ids", "wordIds", "decoded"]),
  };
  for (const [kind, parts] of Object.entries(kinds)) {
    const path = sharedPath(`reference/tokenizers/${kind}.json`);
    it(`${kind}: ${[...parts].join(", ")}`, { skip: path === undefined ? SKIP_REASON : false }, async () => {
      const { items } = await checkTokenizerReference(path ?? "", parts);
      assert.ok(items.length > 200);
      assert.deepEqual(items.filter((item) => !item.ok), []);
    });
  }
});

describe("encoding", () => {
  it("keeps special tokens when it cuts", async () => {
    const tokenizer = await tiny();
    const [cut] = tokenizer.encode("the film was very good", { maxLength: 4, truncation: true });
    assert.deepEqual([...cut.ids], [2, 5, 7, 3]);
    assert.deepEqual([...cut.specialTokensMask], [1, 0, 0, 1]);
  });
  it("gives windows with a stride, and says where each token stands", async () => {
    const text = "The film was very good .";
    const windows = (await tiny()).encode(text, {
      maxLength: 5,
      truncation: true,
      stride: 1,
      returnOverflowingTokens: true,
    });
    assert.equal(windows.length, 3);
    assert.deepEqual(windows.map((w) => w.ids.length), [5, 5, 4]);
    const second = windows[1];
    assert.equal(text.slice(second?.offsets[2], second?.offsets[3]), "was");
    assert.deepEqual([...(second?.wordIds ?? [])], [-1, 2, 3, 4, -1]);
  });
  // Places from the Python library.
  describe("where a blank is put before each text", () => {
    const byteLevel = { type: "ByteLevel", add_prefix_space: true, trim_offsets: true, use_regex: true };
    const tokenizer = tiny({
      "tokenizer_config.json": jsonBytes({ tokenizer_class: "PreTrainedTokenizerFast" }),
      "tokenizer.json": jsonBytes({
        ...tinyTokenizer,
        added_tokens: ["<s>", "</s>", "<m>"].map((content, i) => (
          { id: i === 2 ? 9 : i, content, special: true, normalized: false, lstrip: i === 2 }
        )),
        normalizer: null,
        pre_tokenizer: byteLevel,
        post_processor: {
          type: "RobertaProcessing",
          cls: ["<s>", 0],
          sep: ["</s>", 1],
          trim_offsets: true,
          add_prefix_space: true,
        },
        decoder: byteLevel,
        model: {
          type: "BPE",
          vocab: { "<s>": 0, "</s>": 1, "Ġ": 2, a: 3, b: 4, "Ġa": 5, "ð": 6, "ł": 7, "Ģ": 8 },
          merges: [["Ġ", "a"]],
        },
      }),
    });
    it("a window's first token keeps it", async () => {
      const options = {
        textPair: " a ab a",
        maxLength: 8,
        truncation: "only_second",
        stride: 1,
        returnOverflowingTokens: true,
      } as const;
      assert.deepEqual((await tokenizer).encode("ab", options).map((w) => [...w.offsets]), [
        [0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 0, 2, 3, 4, 0, 0],
        [0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 2, 4, 4, 5, 0, 0],
        [0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 4, 5, 6, 7, 0, 0],
      ]);
    });
    const places = async (text: string): Promise<number[]> =>
      [...(await tokenizer).encode(text)[0].offsets].slice(2, -2);
    it("it has no place of its own", async () => {
      assert.deepEqual(await places(" "), [0, 0]);
      assert.deepEqual(await places("b"), [0, 0, 0, 1]);
      assert.deepEqual(await places(" b"), [0, 0, 1, 2]);
      assert.deepEqual(await places("  a"), [0, 0, 2, 3]);
      assert.deepEqual(await places("\u{20000}"), [0, 0, 0, 2, 0, 2, 0, 2, 0, 2]);
    });
    it("a special token that begins with blanks keeps them in front alone", async () => {
      assert.deepEqual(await places(" <m> a"), [0, 4, 5, 6]);
      assert.deepEqual(await places("a <m>"), [0, 1, 2, 5]);
    });
  });
  it("an empty second text is one: it ends with its own special token", async () => {
    const tokenizer = await tiny();
    for (const textPair of ["", []]) {
      const [pair] = tokenizer.encode("the film", { textPair });
      assert.deepEqual([...pair.ids], [2, 5, 7, 3, 3]);
      assert.deepEqual([...pair.typeIds], [0, 0, 0, 0, 1]);
    }
    const [none] = tokenizer.encode("the film");
    assert.deepEqual([...none.ids], [2, 5, 7, 3]);
  });
  it("cuts the text that is named", async () => {
    const tokenizer = await tiny();
    const [cut] = tokenizer.encode("the film", {
      textPair: "was very good but dull",
      maxLength: 7,
      truncation: "only_second",
    });
    assert.deepEqual([...cut.sequenceIds], [-1, 0, 0, -1, 1, 1, -1]);
    assert.deepEqual([...cut.typeIds], [0, 0, 0, 0, 1, 1, 1]);
    assert.throws(
      () => tokenizer.encode("the film was", { textPair: "good", maxLength: 6, truncation: "only_second" }),
      /leaves room/,
    );
    assert.throws(
      () =>
        tokenizer.encode("the film was good", {
          maxLength: 4,
          truncation: true,
          stride: 2,
          returnOverflowingTokens: true,
        }),
      /stride below/,
    );
  });
  it("takes words", async () => {
    const [words] = (await tiny()).encode(["films", "\u200b", "good"]);
    assert.deepEqual([...words.wordIds], [-1, 0, 0, 2, -1]);
  });
  it("counts code points as Python does", () => {
    assert.deepEqual([...codePointOffsets("a😀b", [0, 1, 1, 3, 3, 4])], [0, 1, 1, 2, 2, 3]);
  });
  it("shares room by length", () => {
    const window = (a: number, b: number, room: number) =>
      windowsOf(a, b, { strategy: "longest_first", room, stride: 0, overflow: false })[0];
    assert.deepEqual([window(2, 9, 6), window(9, 9, 7), window(9, 8, 7)], [
      { a: [0, 2], b: [0, 4] },
      { a: [0, 3], b: [0, 4] },
      { a: [0, 4], b: [0, 3] },
    ]);
  });
});

describe("a broken tokenizer.json", () => {
  const broken = (change: object) => tiny({ "tokenizer.json": jsonBytes({ ...tinyTokenizer, ...change }) });
  it("is a typed error", async () => {
    await assert.rejects(broken({ model: null }), { code: "BAD_FILE" });
    await assert.rejects(broken({ model: { type: "WordPiece", vocab: { a: 0, b: 0 } } }), /two tokens have id 0/);
    await assert.rejects(broken({ model: { type: "WordPiece", vocab: { a: -1 } } }), /has id -1/);
    await assert.rejects(broken({ model: { type: "WordPiece", vocab: { a: 1e15 } } }), /has id/);
    await assert.rejects(tiny({ "tokenizer.json": new TextEncoder().encode("{") }), /not JSON/);
  });
});

describe("training WordPiece", () => {
  const texts = tinyRows.map((row) => String(row.text));
  const { tokenizerJson } = trainWordPiece(texts, { vocabSize: 140 });
  const vocab = (tokenizerJson.model as { vocab: Record<string, number> }).vocab;
  it("fills the vocabulary, special tokens first, each id once", () => {
    assert.deepEqual(Object.keys(vocab).slice(0, 5), ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]);
    assert.deepEqual(Object.values(vocab), [...Object.values(vocab).keys()]);
    assert.ok(Object.keys(vocab).length <= 140);
    assert.ok("film" in vocab && "good" in vocab);
  });
  it("gives the same vocabulary again", () =>
    assert.deepEqual(trainWordPiece(texts, { vocabSize: 140 }).tokenizerJson, tokenizerJson));
  it("knows every word it was trained on, as the native library reads it", async () => {
    const own = await tiny({ "tokenizer.json": jsonBytes(tokenizerJson) });
    const native = Native.fromString(JSON.stringify(tokenizerJson));
    for (const text of [...texts, "Une good FILM, déjà-vu!"]) {
      const theirs = await native.encode(text);
      assert.deepEqual([...own.encode(text)[0].ids], theirs.getIds());
      if (texts.includes(text)) assert.ok(!theirs.getIds().includes(1), text);
    }
  });
  it("refuses a size that does not hold the alphabet", () =>
    assert.throws(() => trainWordPiece(texts, { vocabSize: 10 }), /vocabSize/));
});

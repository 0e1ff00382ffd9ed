/** Checkpoints without tokenizer.json, beside what transformers makes of their vocabulary files. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import type { Json, Named, Store } from "../../../core/types.ts";
import { hf } from "../../../plugins/tokenizers/hf.ts";
import { heldStore } from "../../tiny.ts";

type Case = Readonly<{
  kind: string;
  config: Named<Json>;
  model: Named<Json>;
  special: Named<number>;
  ids: readonly (readonly number[])[];
  pair: readonly number[];
  decoded: readonly string[];
}>;
/** What test/fixtures/vocabulary_files.py made with transformers. */
const figures: Readonly<{
  texts: readonly string[];
  pair: readonly [string, string];
  files: Named<Named<string>>;
  cases: readonly Case[];
}> = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../fixtures/vocabulary_files.json", import.meta.url)), "utf8"),
);

const bytesOf = (name: string, text: string): Uint8Array =>
  name.endsWith(".model") ? Uint8Array.from(atob(text), (c) => c.charCodeAt(0)) : new TextEncoder().encode(text);
const filesOf = (kind: string): Record<string, Uint8Array> =>
  Object.fromEntries(Object.entries(figures.files[kind] ?? {}).map(([name, text]) => [name, bytesOf(name, text)]));
const json = (value: Json): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
const storeOf = ({ kind, config, model }: Pick<Case, "kind" | "config" | "model">): Store =>
  heldStore({ ...filesOf(kind), "tokenizer_config.json": json(config), "config.json": json(model) });

describe("vocabulary files without tokenizer.json", () => {
  for (const [i, one] of figures.cases.entries()) {
    it(`${i}: ${one.kind} ${JSON.stringify(one.config).slice(0, 80)}`, async () => {
      const tokenizer = await hf({}).open(storeOf(one));
      const idsOf = (...[text = "", textPair]: readonly string[]): number[] =>
        Array.from(tokenizer.encode(text, textPair === undefined ? {} : { textPair })[0].ids);
      assert.deepEqual(figures.texts.map((text) => idsOf(text)), one.ids);
      assert.deepEqual(idsOf(...figures.pair), one.pair);
      assert.deepEqual(one.ids.map((ids) => tokenizer.decode(ids)), one.decoded);
      for (const [name, id] of Object.entries(one.special)) assert.equal(tokenizer.specialTokenIds[name], id, name);
    });
  }

  it("are refused where no class gives them steps, and say how tokenizer.json is made", async () => {
    const configs: readonly Named<Json>[] = [
      {},
      { tokenizer_class: "PreTrainedTokenizerFast" },
      { tokenizer_class: "T5Tokenizer" },
    ];
    for (const config of configs) {
      await assert.rejects(hf({}).open(storeOf({ kind: "words", config, model: {} })), {
        code: "UNSUPPORTED",
        message: /vocab\.txt.*AutoTokenizer/s,
      });
    }
    await assert.rejects(hf({}).open(heldStore({ "vocab.json": json({ a: 0 }) })), { code: "MISSING" });
  });

  it("are refused where they are damaged, by their own names", async () => {
    const open = async (kind: string, tokenizerClass: string, change: Named<Uint8Array>): Promise<unknown> => {
      const config = { "tokenizer_config.json": json({ tokenizer_class: tokenizerClass }) };
      return await hf({}).open(heldStore({ ...filesOf(kind), ...config, ...change }));
    };
    const text = (value: string): Uint8Array => new TextEncoder().encode(value);
    const whole = filesOf("t5")["spiece.model"] ?? new Uint8Array();
    await assert.rejects(open("plain", "GPT2Tokenizer", { "merges.txt": text("#version\na b\na b c\n") }), {
      code: "BAD_FILE",
      message: /merges\.txt.*line 3/,
    });
    await assert.rejects(open("plain", "GPT2Tokenizer", { "vocab.json": text("[1]") }), { code: "BAD_FILE" });
    await assert.rejects(open("t5", "T5Tokenizer", { "spiece.model": whole.slice(0, 900) }), { code: "BAD_FILE" });
    await assert.rejects(open("t5", "T5Tokenizer", { "spiece.model": new Uint8Array() }), /no pieces/);
    const pointer = text(`version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 791656\n`);
    await assert.rejects(open("t5", "T5Tokenizer", { "spiece.model": pointer }), /LFS|lfs/);
    // Bytes at random are a tokenizer or an error of its own, soon.
    for (let i = 0; i < 200; i++) {
      const broken = whole.slice();
      for (let k = 0; k < 3; k++) broken[(i * 131 + k * 977) % broken.length] = (i * 7 + k * 59) % 256;
      await open("t5", "T5Tokenizer", { "spiece.model": broken }).catch((error) =>
        assert.equal(error.name, "AttuneError")
      );
    }
  });
});

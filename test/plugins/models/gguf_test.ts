import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { compose } from "../../../core/spec/compose.ts";
import { sha256 } from "../../../core/base/sha256.ts";
import { blockTypes, dequantize } from "../../../core/gguf/blocks.ts";
import { evaluateRun } from "../../../core/run/evaluate/evaluate.ts";
import { openRun } from "../../../core/run/open/open.ts";
import type { RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { pretrained } from "../../../plugins/models/pretrained.ts";
import { hf } from "../../../plugins/tokenizers/hf.ts";
import { hostWith } from "../../gguf.ts";

type Model = Readonly<{
  name: string;
  file: string;
  tensors: Readonly<Record<string, readonly [readonly number[], string]>>;
  tied: boolean;
  input: readonly number[];
  loss: number;
  chat: string;
}>;
/** What test/fixtures/gguf.py made with the gguf package and transformers. */
const figures: Readonly<{
  blocks: readonly Readonly<{ type: string; id: number; bytes: string; sha256: string }>[];
  models: readonly Model[];
}> = JSON.parse(readFileSync(fileURLToPath(new URL("../../fixtures/gguf.json", import.meta.url)), "utf8"));

/** The angles of Llama 3.1, which files have as factors. */
const llama3 = {
  rope_type: "llama3",
  factor: 32,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
};

const hashOf = (values: Float32Array): Promise<string> =>
  sha256(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));

describe("blocks of GGUF files are the gguf package's to the bit", () => {
  for (const { type, id, bytes, sha256: wanted } of figures.blocks) {
    it(type, async () => {
      const own = blockTypes.get(id);
      assert.equal(own?.name, type);
      assert.ok(own);
      const stored = bytesOf(bytes);
      const values = new Float32Array(stored.length / own.bytes * own.values);
      dequantize(own, stored, values, 0);
      assert.equal(await hashOf(values), wanted);
    });
  }
});

describe("a GGUF file is a checkpoint", () => {
  for (const model of figures.models) {
    const { name, file, tensors, tied, input, loss, chat } = model;
    it(`${name}: every tensor is as transformers reads it`, async () => {
      const { weights, config } = await pretrained({ path: "/models/model.gguf" }).open(await hostWith(bytesOf(file)));
      const wanted = Object.entries(tensors).filter(([own]) => !(tied && own === "lm_head.weight"));
      assert.deepEqual([...weights.names].sort(), wanted.map(([own]) => own).sort());
      for (const [name, [dims, hash]] of wanted) {
        const { dims: found, data } = await weights.read(name);
        assert.deepEqual(found, dims, name);
        assert.equal(await hashOf(data), hash, name);
        assert.deepEqual(weights.locate(name)?.dims, dims);
      }
      assert.equal(config.tie_word_embeddings, tied);
      assert.deepEqual(config.rope_scaling, name === "llama 3.1" ? llama3 : null);
    });
    it(`${name}: its loss`, async () => {
      const spec = {
        version: 1,
        model: { use: "pretrained", with: { path: "/models/model.gguf" } },
        task: "causal-lm",
        data: {},
      } as unknown as RunSpec;
      const open = await openRun(compose(spec, catalog), await hostWith(bytesOf(file)));
      const rows = { use: "memory", with: { rows: [{ input_ids: input }] } };
      const evaluated = (await evaluateRun(open, open.run.use("data", rows))).loss ?? NaN;
      assert.ok(Math.abs(evaluated - loss) < 1e-5, `${evaluated}, right is ${loss}`);
    });
    it(`${name}: its tokenizer and its chat template`, async () => {
      const { files } = await pretrained({ path: "/models/model.gguf" }).open(await hostWith(bytesOf(file)));
      const tokenizer = await hf().open(files);
      assert.equal(
        tokenizer.applyChatTemplate([{ role: "user", content: "hi there" }], { addGenerationPrompt: true }).text,
        chat,
      );
      const { bos, eos, pad } = tokenizer.specialTokenIds;
      assert.deepEqual([bos, eos, pad], [1, 2, 0]);
      const ids = [...tokenizer.encode("<|im_start|> the cat 123")[0].ids];
      // A digit alone, where the pre-tokenizer says so; qwen3's file asks for a token in front.
      assert.equal(tokenizer.decode(ids), `${name === "qwen3" ? "<|im_start|>" : ""}<|im_start|> the cat 123`);
      assert.ok(ids.filter((id) => id > 258).length >= 2);
      assert.equal(ids.filter((id) => id === 1).length, name === "qwen3" ? 2 : 1);
    });
  }
});

describe("what is not read of GGUF files is refused by its name", () => {
  const whole = bytesOf(figures.models[0]?.file ?? "");
  const open = async (file: Uint8Array): Promise<unknown> =>
    await pretrained({ path: "/models/model.gguf" }).open(await hostWith(file));
  const replaced = (from: string, to: string): Uint8Array => {
    const text = Buffer.from(whole).toString("latin1").replaceAll(from, to);
    return new Uint8Array(Buffer.from(text, "latin1"));
  };
  it("another file, a cut one, another version", async () => {
    await assert.rejects(open(new TextEncoder().encode("{}{}{}{}{}{}{}{}")), /is not a GGUF file/);
    await assert.rejects(open(whole.subarray(0, 2000)), /ends within its header/);
    await assert.rejects(open(whole.subarray(0, -2000)), /ends before the tensor/);
    const other = whole.slice();
    other[4] = 1;
    await assert.rejects(open(other), /version 1/);
  });
  it("architectures, vocabularies and pre-tokenizers", async () => {
    await assert.rejects(open(replaced("llama", "mamba")), /general\.architecture.*mamba/);
    await assert.rejects(open(replaced("smollm", "smullm")), /tokenizer\.ggml\.pre.*smullm/);
  });
});

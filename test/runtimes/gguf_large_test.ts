import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { compose } from "../../core/spec/compose.ts";
import { evaluateRun } from "../../core/run/evaluate/evaluate.ts";
import { openRun } from "../../core/run/open/open.ts";
import type { Host, RunSpec } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { hostWith } from "../gguf.ts";

const encoder = new TextEncoder();
const [TEXT, LIST, U32, F32] = [8, 9, 4, 6];

/** A file's bytes: keys of texts, lists of texts, whole numbers (4) or others (6), and tensors of F32 (0) or Q8_0 (8). */
function written(
  keys: Readonly<Record<string, string | readonly string[] | readonly [number, number]>>,
  tensors: Readonly<Record<string, readonly [type: 0 | 8, ...dims: number[]]>>,
): Uint8Array {
  const head: number[] = [];
  const number = (value: number, bytes: 4 | 8): void => {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, BigInt(value), true);
    head.push(...new Uint8Array(view.buffer).subarray(0, bytes));
  };
  const text = (value: string): void => {
    const bytes = encoder.encode(value);
    number(bytes.length, 8);
    head.push(...bytes);
  };
  head.push(...encoder.encode("GGUF"));
  number(3, 4);
  number(Object.keys(tensors).length, 8);
  number(Object.keys(keys).length, 8);
  for (const [name, value] of Object.entries(keys)) {
    text(name);
    if (typeof value === "string") {
      number(TEXT, 4);
      text(value);
    } else if (typeof value[0] === "string") {
      number(LIST, 4);
      number(TEXT, 4);
      number(value.length, 8);
      for (const one of value) text(String(one));
    } else {
      const [type, content] = value as readonly [number, number];
      number(type, 4);
      if (type === U32) number(content, 4);
      else head.push(...new Uint8Array(Float32Array.of(content).buffer));
    }
  }
  let end = 0;
  const places: (readonly [type: 0 | 8, offset: number, bytes: number])[] = [];
  for (const [name, [type, ...dims]] of Object.entries(tensors)) {
    text(name);
    number(dims.length, 4);
    for (const dim of dims) number(dim, 8);
    number(type, 4);
    number(end, 8);
    const values = dims.reduce((a, b) => a * b, 1);
    const bytes = type === 0 ? 4 * values : values / 32 * 34;
    places.push([type, end, bytes]);
    end = Math.ceil((end + bytes) / 32) * 32;
  }
  const data = Math.ceil(head.length / 32) * 32;
  const out = new Uint8Array(data + end);
  out.set(head);
  const view = new DataView(out.buffer);
  for (const [type, offset, bytes] of places) {
    if (type === 0) {
      for (let at = 0; at < bytes; at += 4) view.setFloat32(data + offset + at, Math.sin(at + offset), true);
    } else {
      for (let at = 0; at < bytes; at++) out[data + offset + at] = (at * 31) % 251;
      // Scales of 2⁻⁸.
      for (let at = 0; at < bytes; at += 34) view.setUint16(data + offset + at, 0x1c00, true);
    }
  }
  return out;
}

it("packed tensors that are large once decoded stand beside those that a file has plain", async () => {
  const [hidden, rows] = [32, 540_000];
  const file = written({
    "general.architecture": "llama",
    "llama.block_count": [U32, 1],
    "llama.context_length": [U32, 64],
    "llama.embedding_length": [U32, hidden],
    "llama.feed_forward_length": [U32, hidden],
    "llama.attention.head_count": [U32, 2],
    "llama.attention.layer_norm_rms_epsilon": [F32, 1e-5],
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "gpt-2",
    "tokenizer.ggml.tokens": ["a", "b", "ab"],
    "tokenizer.ggml.merges": ["a b"],
  }, {
    "token_embd.weight": [8, hidden, rows],
    "output_norm.weight": [0, hidden],
    "blk.0.attn_norm.weight": [0, hidden],
    "blk.0.ffn_norm.weight": [0, hidden],
    ...Object.fromEntries(
      ["attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"]
        .map((name) => [`blk.0.${name}.weight`, [0, hidden, hidden] as const]),
    ),
  });
  const folder = mkdtempSync(join(tmpdir(), "attune-gguf-large-"));
  writeFileSync(join(folder, "model.gguf"), file);
  const lossOn = async (host: Host, path: string): Promise<number> => {
    const spec = { version: 1, model: { use: "pretrained", with: { path } }, task: "causal-lm", data: {} };
    const open = await openRun(compose(spec as unknown as RunSpec, catalog), host);
    const rows = { use: "memory", with: { rows: [{ input_ids: [1, 7, 500_000, 3] }] } };
    return (await evaluateRun(open, open.run.use("data", rows))).loss ?? NaN;
  };
  const mapped = await lossOn(await hostHere(1), join(folder, "model.gguf"));
  assert.ok(mapped > 1 && mapped < 100, `${mapped}`);
  assert.equal(await lossOn(await hostWith(file), "/models/model.gguf"), mapped);
});

import assert from "node:assert/strict";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import { compose } from "../../core/spec/compose.ts";
import { evaluateRun } from "../../core/run/evaluate/evaluate.ts";
import { verifyExport } from "../../core/run/write/export.ts";
import { createRandom } from "../../core/math/random.ts";
import { type OpenRun, openRun } from "../../core/run/open/open.ts";
import { train } from "../../core/run/train/train_whole.ts";
import { readSafetensors, writeSafetensors } from "../../core/files/safetensors.ts";
import type { Json, Named, RunSpec, Tensor } from "../../core/types.ts";
import {
  dequantizeFourBit,
  fourBitTables,
  quantizeAbsmax,
  quantizeFourBit,
} from "../../formats/quantization/bitsandbytes.ts";
import { catalog } from "../../plugins/catalog.ts";
import { openModel } from "../../plugins/models/pretrained/open_model.ts";
import { main } from "../../runtimes/cli/main.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { packedFigures, packedFiles } from "../formats/packed/packed.ts";
import { tinyFiles, tinySpec } from "../tiny.ts";
import { jsonBytes } from "../../core/base/bytes.ts";

const root = mkdtempSync(join(tmpdir(), "attune-requantize-"));
after(() => rmSync(root, { recursive: true, force: true }));

const [adapted, kept] = ["bert.encoder.layer.0.intermediate.dense", "bert.encoder.layer.0.output.dense"];
const targets = ["layer.0.attention.self.query", "layer.0.intermediate.dense"];

function folderOf(name: string, files: Named<Uint8Array>): string {
  const path = join(root, name);
  mkdirSync(path);
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(path, file), bytes);
  return path;
}

function baseOf(figure: string): string {
  const packed = packedFigures[figure];
  if (!packed) throw new Error(`No fixture ${figure}`);
  return folderOf(figure.replaceAll(" ", "-"), packedFiles(packed));
}

const specOf = (base: string, more: Named<Json> = {}): RunSpec =>
  ({ ...tinySpec(), model: { use: "pretrained", with: { path: base } }, ...more }) as unknown as RunSpec;
const opened = async (base: string): Promise<OpenRun> =>
  await openRun(compose(specOf(base), catalog), await hostHere(1));

async function trained(base: string): Promise<string> {
  const adapter = { use: "lora", with: { r: 2, targetModules: targets } };
  await train(compose(specOf(base, { adapter }), catalog), await hostHere(1), { output: `${base}-run` });
  return join(`${base}-run`, "adapter");
}

/** What a command prints, and its exit code. */
async function said(...args: readonly string[]): Promise<Readonly<{ code: number; out: string }>> {
  const [write, error] = [process.stdout.write, process.stderr.write];
  let out = "";
  // The runner's own messages are bytes.
  const take = (real: typeof write): typeof write =>
    ((text: string | Uint8Array) =>
      typeof text === "string" ? (out += text) !== "" : real.call(process.stdout, text)) as typeof write;
  [process.stdout.write, process.stderr.write] = [take(write), take(error)];
  try {
    return { code: await main([...args]), out };
  } finally {
    [process.stdout.write, process.stderr.write] = [write, error];
  }
}

const tensorsOf = (folder: string): Record<string, Tensor> =>
  readSafetensors(new Uint8Array(readFileSync(join(folder, "model.safetensors"))), "model.safetensors");

async function valuesOf(folder: string, name: string): Promise<Float32Array> {
  const { weights } = await openModel("test", (await hostHere(1)).directory?.(folder) as never, folder);
  return (await weights.read(name)).data as Float32Array;
}

/** A copy of a run whose adapter's first factor reads one input `times` as much; the path of its adapter. */
function adapterWith(run: string, copy: string, times: number): string {
  cpSync(run, copy, { recursive: true });
  const path = join(copy, "adapter", "adapter_model.safetensors");
  const tensors = readSafetensors(new Uint8Array(readFileSync(path)), path);
  for (const [name, { dims, data }] of Object.entries(tensors)) {
    if (name.endsWith("lora_A.weight")) {
      for (let i = 0; i < data.length; i += dims[1] ?? 1) (data as Float32Array)[i] = times;
    }
  }
  writeFileSync(path, writeSafetensors(tensors));
  return join(copy, "adapter");
}

const norm = (values: Float32Array): number => Math.sqrt(values.reduce((sum, x) => sum + x * x, 0));

/** What bitsandbytes makes of values, by the ends of the tensors' names. */
const quantizers: Named<(values: Float32Array) => Named<ArrayLike<number>>> = {
  "bnb nf4": (values) => {
    const { codes, absmax } = quantizeFourBit(values, "nf4", 64);
    return { "": codes, ".absmax": absmax };
  },
  "bnb nf4 double": (values) => {
    const { codes, absmax } = quantizeFourBit(values, "nf4", 64);
    const nested = quantizeAbsmax(absmax);
    return { "": codes, ".absmax": nested.codes, ".nested_absmax": nested.nestedAbsmax };
  },
};

describe("attune merge --requantize", () => {
  for (const figure of ["bnb nf4", "bnb nf4 double", "bnb int8", "hqq 4", "hqq 3, axis 0"]) {
    it(`${figure}: in the base's layout, and --verify says what that loses`, async () => {
      const base = baseOf(figure);
      const adapter = await trained(base);
      const [whole, output] = [`${base}-whole`, `${base}-again`];
      assert.equal((await said("merge", adapter, "--base", base, "-o", whole)).code, 0);
      const { code, out } = await said(
        ...["merge", adapter, "--base", base, "--requantize", "--verify", "-o", output],
      );
      assert.equal(code, 0, out);
      assert.deepEqual(readFileSync(join(output, "config.json")), readFileSync(join(base, "config.json")));
      const [was, is] = [tensorsOf(base), tensorsOf(output)];
      assert.deepEqual(Object.keys(is).sort(), Object.keys(was).sort());
      for (const name of Object.keys(is).filter((key) => key.startsWith(kept))) assert.deepEqual(is[name], was[name]);
      const merged = await valuesOf(whole, `${adapted}.weight`);
      const due = quantizers[figure]?.(merged) ?? {};
      for (const [part, data] of Object.entries(due)) {
        assert.deepEqual([...is[`${adapted}.weight${part}`]?.data ?? []], [...Array.from(data)]);
      }
      // What is said is what the two folders give.
      const [left, right] = [await opened(whole), await opened(output)];
      assert.equal(right.checkpoint.quantization?.method.split(" ")[0], packedFigures[figure]?.config.quant_method);
      const difference = await verifyExport(left, right);
      assert.ok(difference > 0);
      assert.match(out, new RegExp(`largest logit difference ${difference.toExponential(2).replace("+", "\\+")}\n`));
      const losses = await Promise.all([left, right].map(async (run) => {
        const data = run.run.data.eval;
        if (!data) throw new Error("No data");
        return (await evaluateRun(run, data, { untrained: true })).loss ?? NaN;
      }));
      const printed = /loss ([\d.]+) unquantized, ([\d.]+) requantized/.exec(out)?.slice(1).map(Number) ?? [];
      losses.forEach((loss, i) => assert.ok(Math.abs(loss - (printed[i] ?? NaN)) < 2e-6, `${losses} ${printed}`));
      const errors = await Promise.all(targets.map(async (target) => {
        const name = `bert.encoder.${target}.weight`;
        const [a, b] = [await valuesOf(whole, name), await valuesOf(output, name)];
        return norm(a.map((x, i) => x - (b[i] ?? NaN))) / norm(a);
      }));
      assert.match(
        out,
        new RegExp(`largest relative error of 2 weights ${Math.max(...errors).toExponential(2)} \\(bert`),
      );
      assert.ok(Math.max(...errors) < (/3/.test(figure) ? 0.3 : 0.15));
      assert.ok(!readdirSync(root).some((name) => name.startsWith(".unquantized")));
    });
  }

  it("the run's rows are those of a file that its spec names from its folder", async () => {
    const base = join(root, "bnb-nf4");
    const path = `${base}-run/spec.json`;
    const spec = JSON.parse(readFileSync(path, "utf8"));
    const rows = spec.data.eval.with.rows.slice(0, 3).map((row: Json) => JSON.stringify(row)).join("\n");
    writeFileSync(`${base}-run/rows.jsonl`, rows);
    writeFileSync(path, JSON.stringify({ ...spec, data: { eval: { use: "jsonl", with: { path: "rows.jsonl" } } } }));
    const { code, out } = await said(
      ...["merge", join(`${base}-run`, "adapter"), "--base", base, "--requantize", "--verify", "-o", `${base}-rows`],
    );
    assert.equal(code, 0, out);
    assert.match(out, /verified on 3 inputs.*\nloss \d/);
  });

  it("ends with 1 where the loss changes by more than it may, and says what and how much", async () => {
    const base = join(root, "bnb-nf4");
    const args = ["merge", join(`${base}-run`, "adapter"), "--base", base, "--requantize", "--verify"];
    const strict = await said(...args, "--max-loss-drift", "0", "-o", `${base}-strict`);
    assert.equal(strict.code, 1, strict.out);
    assert.match(
      strict.out,
      /loss [\d.]+ unquantized.*[^]*\ntoo much is lost: the loss may change by 0 \(--max-loss-drift\)\n$/,
    );
    const wide = await said(...args, "--max-loss-drift", "9", "-o", `${base}-wide`);
    assert.deepEqual([wide.code, wide.out.includes("too much")], [0, false]);
    // One input that is a thousand times the others leaves their codes nothing.
    const spread = adapterWith(`${base}-run`, `${base}-spread`, 300);
    const [, , ...others] = args;
    const lost = await said("merge", spread, ...others, "-o", `${base}-lost`);
    assert.equal(lost.code, 1, lost.out);
    assert.match(lost.out, /too much is lost: (the loss may change by 0.1|outputs may change by 0.25)/);
    for (const wrong of ["-1", "x", ""]) {
      assert.equal((await said(...args, "--max-loss-drift", wrong, "-o", `${base}-wrong`)).code, 2);
    }
    assert.equal((await said(...args.slice(0, -1), "--max-loss-drift", "1", "-o", `${base}-wrong`)).code, 2);
    assert.ok(!existsSync(`${base}-wrong`));
  });

  it("an adapter without its run is compared over a few texts, which have no labels", async () => {
    const base = join(root, "bnb-nf4");
    rmSync(`${base}-run/spec.json`);
    const { code, out } = await said(
      ...["merge", join(`${base}-run`, "adapter"), "--base", base, "--requantize", "--verify", "-o", `${base}-texts`],
    );
    assert.equal(code, 0, out);
    assert.match(
      out,
      /verified on 4 inputs.*\nno loss, because the inputs have no labels; outputs change by [\d.e-]+ of their size\n/,
    );
  });

  it("refuses what does not go together, and methods that are not packed again, by name", async () => {
    const gptq = baseOf("gptq 4");
    const adapter = await trained(gptq);
    const none = join(root, "never");
    const plain = folderOf("plain", tinyFiles());
    const plainAdapter = await trained(plain);
    const cases: readonly (readonly [readonly string[], RegExp])[] = [
      [[adapter, "--base", gptq, "--requantize"], /gptq \(4 bits\).*bitsandbytes, and hqq/],
      [[plainAdapter, "--base", plain, "--requantize"], /--requantize.*unquantized base/],
      [[adapter, "--base", gptq, "--requantize", "--exact"], /--requantize.*--exact/],
      [[adapter, "--requantize"], /--requantize.*no --base/],
      [[adapter, "--base", gptq, "--verify"], /--verify.*--requantize/],
    ];
    for (const [args, message] of cases) {
      const { code, out } = await said("merge", ...args, "-o", none);
      assert.equal(code, 2, out);
      assert.match(out, message);
    }
    assert.ok(!existsSync(none) || readdirSync(none).length === 0);
  });
});

it("a description of a weight with an offset is JSON, filled up to a length known before", () => {
  const tensors = tensorsOf(join(root, "bnb-nf4-double-again"));
  const text = tensors[`${adapted}.weight.quant_state.bitsandbytes__nf4`]?.data as Uint8Array;
  const state = JSON.parse(new TextDecoder().decode(text));
  assert.equal(state.nested_offset, Math.fround(state.nested_offset));
  assert.deepEqual([state.quant_type, state.blocksize, state.nested_blocksize], ["nf4", 64, 256]);
});

it("a weight that the model has as [in, out] is packed again as [out, in], a square one too", async () => {
  const [size, path] = [32, "transformer.h.0.attn.c_proj"];
  const drawn = (length: number, from: number): Float32Array =>
    Float32Array.from({ length }, (_, i) => 0.3 * createRandom(5).normal(from + i));
  const values = drawn(size * size, 0);
  const { codes, absmax } = quantizeFourBit(values, "nf4", 64);
  const state = jsonBytes({ quant_type: "nf4", blocksize: 64, dtype: "float32", shape: [size, size] });
  const tensors: Record<string, Tensor> = {
    [`${path}.weight`]: { dtype: "uint8", dims: [codes.length, 1], data: codes },
    [`${path}.weight.absmax`]: { dtype: "float32", dims: [absmax.length], data: absmax },
    [`${path}.weight.quant_map`]: { dtype: "float32", dims: [16], data: fourBitTables.nf4 },
    [`${path}.weight.quant_state.bitsandbytes__nf4`]: { dtype: "uint8", dims: [state.length], data: state },
  };
  const config = { model_type: "gpt2", n_embd: size, n_layer: 1, n_head: 2, vocab_size: 10, n_positions: 8 };
  const base = folderOf("gpt2", { "config.json": jsonBytes(config), "model.safetensors": writeSafetensors(tensors) });
  const [a, b] = [drawn(size, 2000), drawn(size, 3000)];
  const adapter = folderOf("gpt2-lora", {
    "adapter_config.json": jsonBytes({
      ...{ peft_type: "LORA", r: 1, lora_alpha: 1, target_modules: ["c_proj"], fan_in_fan_out: true, bias: "none" },
      task_type: "CAUSAL_LM",
    }),
    "adapter_model.safetensors": writeSafetensors({
      [`base_model.model.${path}.lora_A.weight`]: { dtype: "float32", dims: [1, size], data: a },
      [`base_model.model.${path}.lora_B.weight`]: { dtype: "float32", dims: [size, 1], data: b },
    }),
  });
  const output = join(root, "gpt2-again");
  const { code, out } = await said("merge", adapter, "--base", base, "--requantize", "-o", output);
  assert.equal(code, 0, out);
  const decoded = dequantizeFourBit({ codes, absmax }, fourBitTables.nf4, 64, size * size);
  const merged = decoded.map((x, i) => x + (b[Math.floor(i / size)] ?? 0) * (a[i % size] ?? 0));
  const is = tensorsOf(output);
  assert.deepEqual(is[`${path}.weight`]?.data, quantizeFourBit(merged, "nf4", 64).codes);
});

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { verifyExport } from "../../../core/run/write/export.ts";
import { type OpenRun, openRun } from "../../../core/run/open/open.ts";
import { train } from "../../../core/run/train/train_whole.ts";
import { readSafetensors, writeSafetensors } from "../../../core/files/safetensors.ts";
import type { Json, Named, RunSpec, Tensor } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { mergeCommand } from "../../../runtimes/cli/merge.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyConfig, tinyFiles, tinySpec, tinyWeights } from "../../tiny.ts";
import { packedFigures, packedFiles } from "./packed.ts";
import { sampled } from "../../sampled.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";

const root = mkdtempSync(join(tmpdir(), "attune-exact-"));
after(() => rmSync(root, { recursive: true, force: true }));

function folderOf(name: string, files: Named<Uint8Array>): string {
  const path = join(root, name);
  mkdirSync(path);
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(path, file), bytes);
  return path;
}

const targets = ["layer.0.attention.self.query", "layer.0.intermediate.dense"];
const specOf = (base: string, more: Named<Json> = {}): RunSpec =>
  ({ ...tinySpec(), model: { use: "pretrained", with: { path: base } }, ...more }) as unknown as RunSpec;
const opened = async (spec: RunSpec): Promise<OpenRun> => await openRun(compose(spec, catalog), await hostHere(1));

/** Trains QA-LoRA over a base. */
async function trained(name: string, base: string, options: Named<Json>, more: Named<Json> = {}): Promise<string> {
  const adapter = { use: "lora", with: { r: 2, targetModules: targets, useQalora: true, ...options } };
  const output = join(root, `${name}-run`);
  await train(compose(specOf(base, { adapter, ...more }), catalog), await hostHere(1), { output });
  return output;
}

const merge = (run: string, base: string, output: string, exact = true): Promise<number> =>
  mergeCommand([join(run, "adapter")], { method: "linear", base, output, exact, majoritySign: "total", seed: "42" });

describe("attune merge --exact", () => {
  const hqq = packedFigures["hqq 4"];
  if (!hqq) throw new Error("No fixture hqq 4");
  const cases: Named<Named<Json>> = {
    "hqq 4": {},
    "hqq 2": { qaloraGroupSize: 32 },
    awq: {},
    "gptq 4": {},
    "compressed 4": { useRslora: true },
  };
  for (const [figure, options] of sampled(Object.entries(cases), 2)) {
    it(`${figure}: logits of the base with its adapter, in HQQ's layout`, async () => {
      const packed = packedFigures[figure];
      if (!packed) throw new Error(`No fixture ${figure}`);
      const name = figure.replaceAll(" ", "-");
      const base = folderOf(name, packedFiles(packed));
      const run = await trained(name, base, options);
      const output = join(root, `${name}-merged`);
      assert.equal(await merge(run, base, output), 0);
      const config = JSON.parse(readFileSync(join(output, "config.json"), "utf8"));
      assert.equal(config.quantization_config.quant_method, "hqq");
      const adapted = await opened(specOf(base, { adapter: { use: "lora", with: { from: join(run, "adapter") } } }));
      const merged = await opened(specOf(output));
      assert.equal(merged.checkpoint.quantization?.method, "hqq");
      const plain = await opened(specOf(base));
      assert.ok(await verifyExport(adapted, plain) > 1e-3, "the adapter does something");
      assert.ok(await verifyExport(adapted, merged) <= 1e-5);
    });
  }

  it("a base that the run quantized by int4 is quantized alike", async () => {
    const base = folderOf("plain", tinyFiles());
    const run = await trained("int4", base, {}, { accelerators: [{ use: "int4", with: { blockSize: 16 } }] });
    const output = join(root, "int4-merged");
    assert.equal(await merge(run, base, output), 0);
    const adapter = { use: "lora", with: { from: join(run, "adapter") } };
    const accelerators = [{ use: "int4", with: { blockSize: 16 } }];
    const adapted = await opened(specOf(base, { adapter, accelerators } as unknown as Named<Json>));
    assert.ok(await verifyExport(adapted, await opened(specOf(output))) <= 1e-5);
  });

  it("rows that end within a block of the base have smaller groups", async () => {
    const config = { ...tinyConfig, intermediate_size: 40 };
    const base = folderOf("uneven", {
      ...tinyFiles(),
      "config.json": jsonBytes(config),
      "model.safetensors": writeSafetensors(tinyWeights(config)),
    });
    const accelerators = [{ use: "int4", with: { blockSize: 16, symmetric: false } }];
    const run = await trained("uneven", base, {}, { accelerators });
    const output = join(root, "uneven-merged");
    assert.equal(await merge(run, base, output), 0);
    const tensors = readSafetensors(readFileSync(join(output, "model.safetensors")), "model.safetensors");
    const sizeOf = (module: string): number => Number(tensors[`bert.encoder.layer.0.${module}.group_size`]?.data[0]);
    assert.deepEqual(["intermediate.dense", "output.dense"].map(sizeOf), [16, 8]);
    const adapter = { use: "lora", with: { from: join(run, "adapter") } };
    const adapted = await opened(specOf(base, { adapter, accelerators } as unknown as Named<Json>));
    assert.ok(await verifyExport(adapted, await opened(specOf(output))) <= 1e-5);
  });

  it("without --exact the same adapter goes into floats", async () => {
    const base = folderOf("floats", packedFiles(hqq));
    const run = await trained("floats", base, {});
    const output = join(root, "floats-merged");
    await merge(run, base, output, false);
    assert.equal(JSON.parse(readFileSync(join(output, "config.json"), "utf8")).quantization_config, undefined);
    const adapter = { use: "lora", with: { from: join(run, "adapter") } };
    assert.ok(await verifyExport(await opened(specOf(base, { adapter })), await opened(specOf(output))) <= 1e-5);
  });

  it("refuses by name what has no zero points, or whose groups are others", async () => {
    const nf4 = packedFigures["bnb nf4"];
    if (!nf4) throw new Error("No fixture bnb nf4");
    const [codes, floats] = [folderOf("nf4", packedFiles(nf4)), folderOf("whole", tinyFiles())];
    const none = join(root, "never");
    const over = await trained("nf4", codes, { qaloraGroupSize: 16 });
    await assert.rejects(merge(over, codes, none), /nf4, block 64.*--exact needs a zero point/);
    const narrow = folderOf("narrow", packedFiles(hqq));
    await assert.rejects(
      merge(await trained("narrow", narrow, { qaloraGroupSize: 8 }), narrow, none),
      /qalora_group_size.*multiple of the 16 inputs.*8/,
    );
    const plain = await trained("plain-lora", narrow, { useQalora: false });
    await assert.rejects(merge(plain, narrow, none), /use_qalora.*only QA-LoRA fits into zero points/);
    const unquantized = await trained("whole", floats, {});
    await assert.rejects(merge(unquantized, floats, none), /floats.*--exact needs codes with zero points/);
    await assert.rejects(
      mergeCommand([join(over, "adapter")], { method: "linear", output: none, exact: true, seed: "1" }),
      /--exact.*its --base/,
    );
  });

  it("a group whose values are all zero gets the update as its step", async () => {
    const files = packedFiles(hqq);
    const tensors: Record<string, Tensor> = readSafetensors(
      files["model.safetensors"] as Uint8Array,
      "model.safetensors",
    );
    const name = "bert.encoder.layer.0.attention.self.query.scale";
    const scale = (tensors[name]?.data as Float32Array).slice();
    scale.fill(0, 0, 4);
    tensors[name] = { dtype: "float32", dims: tensors[name]?.dims ?? [], data: scale };
    const base = folderOf("zeros", { ...files, "model.safetensors": writeSafetensors(tensors) });
    const run = await trained("zeros", base, {});
    const output = join(root, "zeros-merged");
    await merge(run, base, output);
    const adapter = { use: "lora", with: { from: join(run, "adapter") } };
    assert.ok(await verifyExport(await opened(specOf(base, { adapter })), await opened(specOf(output))) <= 1e-5);
  });
});

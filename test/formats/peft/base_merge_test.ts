import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { checkLone, openAdapter } from "../../../formats/peft/merge/config.ts";
import { mergeIntoBase } from "../../../formats/peft/merge/into_base.ts";
import {
  fromFloat32,
  openWeights,
  readSafetensors,
  safetensorsSize,
  streamSafetensors,
  toFloat32,
  viewOf,
  writeSafetensors,
} from "../../../core/files/safetensors.ts";
import type { DType, Json, Named, Store, Tensor } from "../../../core/types.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { main } from "../../../runtimes/cli/main.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";

type Saved = { dtype: DType; dims: number[]; data: number[] };
type Case = {
  name: string;
  config: Named<Json>;
  base: Named<Saved>;
  adapter: Named<Saved>;
  merged: Named<Saved>;
};
const { cases }: { cases: Case[] } = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../fixtures/base_merges.json", import.meta.url)), "utf8"),
);
const host = await hostHere(1);

function tensors(saved: Named<Saved>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(saved).map(([name, { dtype, dims, data }]) => [
      name,
      { dtype, dims, data: viewOf(dtype, fromFloat32(Float32Array.from(data), dtype)) },
    ]),
  );
}

async function storeOf(files: Named<Uint8Array>): Promise<Store> {
  const store = await memory().open(host);
  for (const [key, bytes] of Object.entries(files)) await store.put(key, bytes);
  return store;
}

const adapterOf = async (config: unknown, own: Named<Tensor>): Promise<Store> =>
  await storeOf({ "adapter_config.json": jsonBytes(config), "adapter_model.safetensors": writeSafetensors(own) });

async function merged(base: Store, adapter: Store, weight?: number): Promise<Record<string, Tensor>> {
  const { forms, pieces } = mergeIntoBase(await openWeights(base), await openAdapter("a", adapter), { weight });
  const parts: Uint8Array[] = [];
  for await (const part of streamSafetensors(forms, pieces)) parts.push(part.slice());
  const bytes = Buffer.concat(parts);
  assert.equal(bytes.length, safetensorsSize(forms));
  return readSafetensors(bytes, "merged");
}

function agree(actual: Record<string, Tensor>, wanted: Named<Saved>): void {
  assert.deepEqual(Object.keys(actual).sort(), Object.keys(wanted).sort());
  for (const [name, { dtype, dims, data }] of Object.entries(wanted)) {
    const tensor = actual[name];
    assert.ok(tensor);
    assert.deepEqual([tensor.dtype, tensor.dims], [dtype, dims], name);
    const values = toFloat32(tensor).data;
    for (const [i, x] of data.entries()) {
      assert.ok(Math.abs((values[i] ?? NaN) - x) <= 1e-5, `${name} at ${i}: ${values[i]} and ${x}`);
    }
  }
}

describe("an adapter in its base", () => {
  for (const { name, config, base, adapter, merged: wanted } of cases) {
    it(`is PEFT's merge_and_unload: ${name}`, async () => {
      const store = await storeOf({ "model.safetensors": writeSafetensors(tensors(base)) });
      agree(await merged(store, await adapterOf(config, tensors(adapter))), wanted);
    });
  }

  const [first] = cases;
  assert.ok(first);
  const [base, own] = [tensors(first.base), tensors(first.adapter)];
  const baseStore = (): Promise<Store> => storeOf({ "model.safetensors": writeSafetensors(base) });

  it("takes bases in shards, and those with a prefix or without", async () => {
    const names = Object.keys(base);
    const half = (part: readonly string[]) =>
      writeSafetensors(Object.fromEntries(part.map((n) => [n, base[n] as Tensor])));
    const shards = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"];
    const map = Object.fromEntries(names.map((n, i) => [n, shards[i < 3 ? 0 : 1]]));
    const store = await storeOf({
      [String(shards[0])]: half(names.slice(0, 3)),
      [String(shards[1])]: half(names.slice(3)),
      "model.safetensors.index.json": jsonBytes({ metadata: {}, weight_map: map }),
    });
    agree(await merged(store, await adapterOf(first.config, own)), first.merged);
    const outer = Object.fromEntries(Object.entries(base).map(([n, t]) => [`net.${n}`, t]));
    const found = await merged(
      await storeOf({ "model.safetensors": writeSafetensors(outer) }),
      await adapterOf(first.config, own),
    );
    agree(Object.fromEntries(Object.entries(found).map(([n, t]) => [n.replace("net.", ""), t])), first.merged);
    const inner = Object.fromEntries(
      Object.entries(own).map(([n, t]) => [n.replace("base_model.model.", "base_model.model.net."), t]),
    );
    agree(await merged(await baseStore(), await adapterOf(first.config, inner)), first.merged);
  });

  it("goes through matrices block by block", async () => {
    const [rows, columns] = [300, 1100];
    const data = Float32Array.from({ length: rows * columns }, (_, i) => Math.sin(i));
    const a = Float32Array.from({ length: 2 * columns }, (_, i) => Math.cos(i));
    const b = Float32Array.from({ length: rows * 2 }, (_, i) => Math.sin(3 * i));
    const large = await storeOf({
      "model.safetensors": writeSafetensors({
        "x.weight": { dtype: "float32", dims: [rows, columns], data },
        "y.weight": { dtype: "float32", dims: [rows, columns], data },
      }),
    });
    const adapter = await adapterOf({ peft_type: "LORA", r: 2, lora_alpha: 4 }, {
      "base_model.model.x.lora_A.weight": { dtype: "float32", dims: [2, columns], data: a },
      "base_model.model.x.lora_B.weight": { dtype: "float32", dims: [rows, 2], data: b },
    });
    const result = await merged(large, adapter, 0.5);
    assert.deepEqual(result["y.weight"]?.data, data);
    const x = result["x.weight"]?.data as Float32Array;
    let worst = 0;
    for (let i = 0; i < rows; i++) {
      for (let j = 0; j < columns; j++) {
        const update = (b[2 * i] ?? 0) * (a[j] ?? 0) + (b[2 * i + 1] ?? 0) * (a[columns + j] ?? 0);
        const wanted = (data[i * columns + j] ?? 0) + update;
        worst = Math.max(worst, Math.abs((x[i * columns + j] ?? Infinity) - wanted));
      }
    }
    assert.ok(worst <= 1e-6, `${worst}`);
  });

  const key = "base_model.model.first.lora_A.weight";
  const floats = (dims: readonly number[], value = 1): Tensor => ({
    dtype: "float32",
    dims,
    data: new Float32Array(dims.reduce((n, d) => n * d, 1)).fill(value),
  });
  const refusals: readonly (readonly [what: string, config: object, tensors: object, error: RegExp])[] = [
    ["another model's shape", {}, { [key]: floats([2, 9]) }, /first: expected factors A and B of a weight \[5,6\]/],
    ["another rank than the config's", { rank_pattern: { first: 4 } }, {}, /first: rank: expected 4.*but found 2/],
    ["half a factor", {}, { [key]: undefined }, /first: lora_A is missing/],
    [
      "a module that is not there",
      {},
      { "base_model.model.other.lora_A.weight": floats([2, 6]) },
      /tensor \\?"other.weight\\?".*missing/,
    ],
    ["values that are not finite", {}, { [key]: floats([2, 6], NaN) }, /not finite/],
    ["rank 0", { r: 0 }, {}, /: r: expected a whole number from 1 but found 0/],
    ["a rank of 1e9", { r: 1e9 }, {}, /: r: expected a whole number/],
    ["no alpha", { lora_alpha: null }, {}, /lora_alpha: expected a finite number/],
    ["patterns that refer back", { alpha_pattern: { "(a+)\\1b": 1 } }, {}, /not supported/],
    ["DoRA without magnitudes", { use_dora: true }, {}, /magnitudes are missing/],
    ["another kind", { peft_type: "PREFIX_TUNING" }, {}, /peft_type: expected LORA or IA3/],
    ["a config that is a list", [] as object, {}, /adapter_config.json/],
    [
      "a whole module of another shape",
      {},
      { "base_model.model.head.weight": floats([9, 4]) },
      /head.weight: expected the base's shape, \[3,4\]/,
    ],
    ["what is no part of LoRA", {}, { "base_model.model.first.vera_lambda_b": floats([5]) }, /vera_lambda_b/],
    ["names that PEFT does not write", {}, { "first.lora_A.weight": floats([2, 6]) }, /name below base_model.model/],
  ];
  for (const [what, config, changed, error] of refusals) {
    it(`refuses ${what}`, async () => {
      const all = Object.fromEntries(Object.entries({ ...own, ...changed }).filter(([, t]) => t !== undefined));
      const given = Array.isArray(config) ? config : { ...first.config, ...config };
      await assert.rejects(async () => await merged(await baseStore(), await adapterOf(given, all)), (e: Error) => {
        assert.equal(e.name, "AttuneError", e.stack);
        assert.match(e.message, error);
        return true;
      });
    });
  }
});

describe("floats of 16 bits", () => {
  it("come back as they were, every one", () => {
    for (const dtype of ["float16", "bfloat16"] as const) {
      const all = Uint16Array.from({ length: 65_536 }, (_, i) => i);
      const again = viewOf(dtype, fromFloat32(toFloat32({ dtype, dims: [65_536], data: all }).data, dtype));
      const infinity = dtype === "float16" ? 0x7c00 : 0x7f80;
      all.forEach((bits, i) => {
        if ((bits & 0x7fff) > infinity) assert.ok((Number(again[i]) & 0x7fff) > infinity);
        else assert.equal(again[i], bits, `${dtype} ${bits}`);
      });
    }
  });
  it("are the nearest, ties to even", () => {
    const round = (x: number, dtype: DType) =>
      toFloat32({ dtype, dims: [1], data: viewOf(dtype, fromFloat32(Float32Array.of(x), dtype)) }).data[0];
    assert.equal(round(1 + 2 ** -11, "float16"), 1);
    assert.equal(round(1 + 3 * 2 ** -11, "float16"), 1 + 2 ** -9);
    assert.equal(round(2 ** -25, "float16"), 0);
    assert.equal(round(1.5 * 2 ** -25, "float16"), 2 ** -24);
    assert.equal(round(65_519, "float16"), 65_504);
    assert.equal(round(65_520, "float16"), Infinity);
    assert.equal(round(1 + 2 ** -8, "bfloat16"), 1);
    assert.equal(round(1 + 3 * 2 ** -8, "bfloat16"), 1 + 2 ** -6);
  });
});

describe("attune merge --base", () => {
  it("writes the whole model", async () => {
    const [first] = cases;
    assert.ok(first && host.directory);
    const folder = mkdtempSync(join(tmpdir(), "attune-merge-"));
    const [base, adapter, output] = ["base", "adapter", "output"].map((name) => join(folder, name));
    assert.ok(base && adapter && output);
    for (const at of [base, adapter]) mkdirSync(at);
    writeFileSync(join(base, "config.json"), "{}");
    writeFileSync(join(base, "model.safetensors"), writeSafetensors(tensors(first.base)));
    writeFileSync(join(adapter, "adapter_config.json"), jsonBytes(first.config));
    writeFileSync(join(adapter, "adapter_model.safetensors"), writeSafetensors(tensors(first.adapter)));
    assert.equal(await main(["merge", adapter, "--method", "linear", "--base", base, "-o", output]), 0);
    agree(readSafetensors(readFileSync(join(output, "model.safetensors")), "merged"), first.merged);
    assert.equal(readFileSync(join(output, "config.json"), "utf8"), "{}");
    // The first of several that a run trained together is not what it trained.
    const again = join(folder, "again");
    writeFileSync(join(adapter, "adapters.json"), jsonBytes([null, "."]));
    assert.equal(await main(["merge", adapter, "--base", base, "-o", again]), 0);
    writeFileSync(join(adapter, "adapters.json"), jsonBytes([".", "ia3"]));
    await assert.rejects(checkLone("several", host.directory(adapter)), /several: .*adapters\.json: "ia3"/);
    assert.equal(await main(["merge", adapter, "--base", base, "-o", join(folder, "refused")]), 2);
    assert.ok(!existsSync(join(folder, "refused")));
    rmSync(folder, { recursive: true });
  });
});

it("a head that a base lacks, brought whole and adapted, is merged with its own update", async () => {
  const matrix = (data: number[]): Tensor => ({ dtype: "float32", dims: [2, 2], data: Float32Array.from(data) });
  const row = (data: number[]): Tensor => ({ dtype: "float32", dims: [1, 2], data: Float32Array.from(data) });
  const column = (data: number[]): Tensor => ({ dtype: "float32", dims: [2, 1], data: Float32Array.from(data) });
  const base = await storeOf({ "model.safetensors": writeSafetensors({ "layer.dense.weight": matrix([1, 2, 3, 4]) }) });
  const of = (path: string): string => `base_model.model.${path}`;
  // The head stands first: what the base is asked for is told by the modules that it has.
  const adapter = await adapterOf({ peft_type: "LORA", r: 1, lora_alpha: 2 }, {
    [of("cls.dense.base_layer.weight")]: matrix([5, 6, 7, 8]),
    [of("cls.dense.lora_A.weight")]: row([1, 1]),
    [of("cls.dense.lora_B.weight")]: column([1, -1]),
    [of("cls.bias")]: { dtype: "float32", dims: [2], data: Float32Array.of(9, 10) },
    [of("bert.layer.dense.lora_A.weight")]: row([0, 1]),
    [of("bert.layer.dense.lora_B.weight")]: column([1, 2]),
  });
  const found = await merged(base, adapter);
  const values = Object.fromEntries(Object.entries(found).map(([name, { data }]) => [name, [...data]]));
  assert.deepEqual(values, {
    "bert.layer.dense.weight": [1, 4, 3, 8],
    "cls.dense.weight": [7, 8, 5, 6],
    "cls.bias": [9, 10],
  });
});

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { mergeAdapters } from "../../../formats/peft/merge/adapters.ts";
import type { MergedAdapter, MergeOptions } from "../../../formats/peft/merge/merged_adapter.ts";
import { writeMerged } from "../../../formats/peft/merge/write_adapter.ts";
import { openSafetensors, writeSafetensors } from "../../../core/files/safetensors.ts";
import type { Json, Named, Store, Tensor } from "../../../core/types.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";
import { allNear } from "../../near.ts";

type Saved = { dims: number[]; data: number[] };
type Adapter = { config: Named<Json>; tensors: Record<string, Saved> };
type Case = {
  method: MergeOptions["method"];
  adapters: string[];
  weights: number[];
  options: { density?: number; svd_rank?: number; majority_sign_method?: "total" | "frequency" };
  masks: number[][];
  config: { r: number; lora_alpha: number; target_modules: string[] };
  tensors: Record<string, Saved>;
};
const fixture: { adapters: Record<string, Adapter>; cases: Case[] } = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../fixtures/merges.json", import.meta.url)), "utf8"),
);

async function storeOf({ config, tensors }: Adapter): Promise<Store> {
  const store = await memory().open(await hostHere(1));
  const named = Object.entries(tensors).map(([name, { dims, data }]): [string, Tensor] => [
    name,
    { dtype: "float32", dims, data: Float32Array.from(data) },
  ]);
  await store.put("adapter_config.json", jsonBytes(config));
  await store.put("adapter_model.safetensors", writeSafetensors(Object.fromEntries(named)));
  return store;
}

async function merged(names: readonly string[], options: MergeOptions): Promise<MergedAdapter> {
  const adapters: { label: string; store: Store }[] = [];
  for (const name of names) {
    const adapter = fixture.adapters[name];
    assert.ok(adapter);
    adapters.push({ label: name, store: await storeOf(adapter) });
  }
  return await mergeAdapters(adapters, options);
}

const modules: readonly (readonly [path: string, a: string, b: string])[] = [
  ["base_model.model.embed", ".lora_embedding_A", ".lora_embedding_B"],
  ["base_model.model.first", ".lora_A.weight", ".lora_B.weight"],
  ["base_model.model.second", ".lora_A.weight", ".lora_B.weight"],
];

/** The masks of a case by tensor and adapter, in the order in which PEFT draws them. */
function masksOf({ method, adapters, masks }: Case): MergeOptions["masks"] {
  const left = [...masks];
  const known = new Map<string, number[]>();
  for (const [path, a, b] of modules) {
    const own = adapters.flatMap((name, i) => (fixture.adapters[name]?.tensors[path + a] ? [i] : []));
    for (const tensor of method.endsWith("svd") ? [path] : [path + a, path + b]) {
      for (const i of own) known.set(`${tensor} ${i}`, left.shift() ?? []);
    }
  }
  assert.equal(left.length, 0);
  return (tensor, adapter, length) => {
    const mask = known.get(`${tensor} ${adapter}`) ?? [];
    assert.equal(mask.length, length);
    // PEFT has the update of an embedding as [7, 6], here all are [out, in].
    return tensor.endsWith("embed") ? mask.map((_, k) => mask[(k % 7) * 6 + Math.floor(k / 7)] ?? 0) : mask;
  };
}

function product(b: Saved | Tensor, a: Saved | Tensor): number[] {
  const [rows = 0, r = 0] = b.dims;
  const columns = a.dims[1] ?? 0;
  return Array.from({ length: rows * columns }, (_, k) => {
    const [i, j] = [Math.floor(k / columns), k % columns];
    let sum = 0;
    for (let l = 0; l < r; l++) sum += Number(b.data[i * r + l]) * Number(a.data[l * columns + j]);
    return sum;
  });
}

describe("merging adapters, as PEFT does", () => {
  for (const [number, one] of fixture.cases.entries()) {
    it(`${number}: ${one.method} of ${one.adapters}`, async () => {
      const { density, svd_rank: svdRank, majority_sign_method: majoritySignMethod } = one.options;
      const masks = one.masks.length > 0 ? masksOf(one) : undefined;
      const options = { method: one.method, weights: one.weights, density, svdRank, majoritySignMethod, masks };
      const result = await merged(one.adapters, options);
      assert.equal(result.config.r, one.config.r);
      assert.equal(result.config.lora_alpha, one.config.lora_alpha);
      assert.deepEqual(result.config.target_modules, [...one.config.target_modules].sort());
      assert.deepEqual(Object.keys(result.forms).sort(), Object.keys(one.tensors).sort());
      for (const [path, a, b] of modules) {
        const [wantA, wantB] = [one.tensors[path + a], one.tensors[path + b]];
        if (!wantA || !wantB) continue;
        const [haveA, haveB] = [await result.read(path + a), await result.read(path + b)];
        assert.deepEqual([haveA.dims, haveB.dims], [wantA.dims, wantB.dims]);
        // Singular vectors are known up to their sign: their product is what counts.
        if (one.method.endsWith("svd")) allNear(product(haveB, haveA), product(wantB, wantA), 1e-5, path);
        else {
          allNear(haveA.data as Float32Array, wantA.data, 1e-5, path + a);
          allNear(haveB.data as Float32Array, wantB.data, 1e-5, path + b);
        }
      }
    });
  }

  it("writes what it read", async () => {
    const result = await merged(["default", "b"], { method: "linear" });
    const store = await memory().open(await hostHere(1));
    await writeMerged(result, store);
    const file = await openSafetensors(store, "adapter_model.safetensors");
    for (const name of file.names) assert.deepEqual((await file.read(name)).data, (await result.read(name)).data);
    assert.equal(await store.get("head_config.json"), undefined);
    const head = { id2label: { 0: "bad", 1: "good" } };
    assert.ok((await writeMerged({ ...result, head }, store)).includes("head_config.json"));
    assert.deepEqual(JSON.parse(new TextDecoder().decode((await store.get("head_config.json"))?.bytes)), head);
  });
  it("dare draws its own masks from the seed", async () => {
    const with_ = async (
      seed: number,
    ): Promise<number[]> => [
      ...(await (await merged(["default", "b"], { method: "dare_linear", density: 0.5, seed }))
        .read("base_model.model.first.lora_A.weight")).data,
    ];
    assert.deepEqual(await with_(1), await with_(1));
    assert.notDeepEqual(await with_(1), await with_(2));
  });
  const refuses = (name: string, names: string[], options: MergeOptions, message: RegExp): void =>
    void it(`refuses ${name}`, async () => await assert.rejects(merged(names, options), message));
  refuses("other ranks", ["b", "c"], { method: "linear" }, /one rank for linear/);
  refuses("no density", ["default", "b"], { method: "ties" }, /density/);
  refuses("too few weights", ["default", "b"], { method: "linear", weights: [1] }, /2 finite numbers/);
  refuses("a rank of nothing", ["default", "b"], { method: "svd", svdRank: 0 }, /svdRank/);

  it("takes a classifier from one adapter, and says where two have one", async () => {
    const { default: first } = fixture.adapters;
    assert.ok(first);
    const withHead = (value: number): Adapter => ({
      ...first,
      tensors: { ...first.tensors, "base_model.model.classifier.weight": { dims: [1, 2], data: [value, value] } },
    });
    const adapters = [
      { label: "x", store: await storeOf(withHead(1)) },
      { label: "y", store: await storeOf(withHead(2)) },
    ];
    await assert.rejects(mergeAdapters(adapters, { method: "linear" }), /classifier\.weight.*modulesFrom/);
    const taken = await mergeAdapters(adapters, { method: "linear", modulesFrom: 1 });
    assert.deepEqual([...(await taken.read("base_model.model.classifier.weight")).data], [2, 2]);
  });
});

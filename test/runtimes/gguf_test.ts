import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { compose } from "../../core/spec/compose.ts";
import { planRun } from "../../core/run/plan/plan.ts";
import { train } from "../../core/run/train/train_whole.ts";
import { readSafetensors } from "../../core/files/safetensors.ts";
import type { Json, Named, RunSpec } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { pretrained } from "../../plugins/models/pretrained.ts";
import { main } from "../../runtimes/cli/main.ts";
import { createApp } from "../../runtimes/serve/app.ts";
import { detectArtifact } from "../../formats/run/saved.ts";
import { folderModels } from "../../runtimes/serve/folder_models.ts";
import type { Lease, RunnerClient } from "../../runtimes/runner/client.ts";
import { localSpec } from "../../runtimes/runner/inputs.ts";
import { openSaved } from "../../runtimes/serve/saved.ts";
import { testJobs } from "../edge.ts";
import { hostHere } from "../../runtimes/host/train.ts";

const figures = JSON.parse(readFileSync(new URL("../fixtures/gguf.json", import.meta.url), "utf8"));
const home = mkdtempSync(join(tmpdir(), "attune-gguf-"));
const folder = join(home, "models", "tiny");
mkdirSync(folder, { recursive: true });
const file = join(folder, "tiny.gguf");
writeFileSync(file, Buffer.from(figures.models[0].file, "base64"));
const host = await hostHere(1);
const rows = ["the cat 123", "that cat the cat", "the the 12 cat"].map((text) => ({ text }));
const specOf = (path: string): RunSpec =>
  ({
    version: 1,
    model: { use: "pretrained", with: { path } },
    task: "causal-lm",
    adapter: { use: "lora", with: { r: 4, targetModules: "all-linear" } },
    data: { train: { use: "memory", with: { rows } }, eval: { use: "memory", with: { rows } } },
    training: { maxSteps: 3, perDeviceTrainBatchSize: 2, learningRate: 0.01 },
  }) as unknown as RunSpec;
const configIn = (path: string): Named<Json> => JSON.parse(readFileSync(path, "utf8"));

describe("a GGUF file is a base as others are", () => {
  const output = join(home, "out");
  it("a run over it, and over the folder that has it alone, is the same", async () => {
    const ended = await train(compose(specOf(file), catalog), host, { output });
    const other = await train(compose(specOf(folder), catalog), host, { output: join(home, "other") });
    assert.equal(ended.reason, "done");
    assert.deepEqual(other.metrics, ended.metrics);
    assert.deepEqual(await (await openSaved(output, host)).evaluate(), ended.metrics);
  });
  it("an adapter over it is PEFT's, and folded in it makes a whole folder, here and by attune merge", async () => {
    const saved = await openSaved(output, host);
    const [peft, whole] = [join(home, "peft"), join(home, "whole")];
    await saved.export("peft", peft);
    assert.equal(configIn(join(peft, "adapter_config.json")).base_model_name_or_path, file);
    const { difference = NaN } = await saved.export("hf", whole, { merge: true, verify: true });
    assert.ok(difference < 1e-3, `${difference}`);
    const { config } = await pretrained({ path: whole }).open(host);
    assert.deepEqual([config.model_type, config.architectures], ["llama", ["LlamaForCausalLM"]]);
    const wanted = readSafetensors(readFileSync(join(whole, "model.safetensors")), "whole");
    for (const base of [file, folder]) {
      const merged = join(home, base === file ? "merged" : "merged too");
      assert.equal(await main(["merge", peft, "--base", base, "--output", merged]), 0);
      assert.equal(configIn(join(merged, "config.json")).model_type, "llama");
      const tensors = readSafetensors(readFileSync(join(merged, "model.safetensors")), "merged");
      assert.deepEqual(Object.keys(tensors).sort(), Object.keys(wanted).sort());
      for (const [name, { data }] of Object.entries(wanted)) {
        const own = tensors[name]?.data ?? [];
        assert.ok(data.every((value, i) => Math.abs(Number(value) - Number(own[i])) < 1e-5), name);
      }
    }
  });
  it("a folder of models lists it, and what is served of it is a model", async () => {
    const models = folderModels(join(home, "models"), host);
    const names: string[] = [];
    for (const name of await models.names?.("default") ?? []) names.push(name);
    assert.ok(names.includes("tiny"), names.join(" "));
    const opened = await models.open("tiny", "default");
    assert.ok(opened && (await detectArtifact(opened.files))?.model);
  });
  it("a plan counts what is decoded: as it is computed with, and as it is read and handed over", async () => {
    const { weights } = await pretrained({ path: file }).open(host);
    // What layers multiply with stays codes, and is neither decoded nor copied; tables are looked up in.
    const staysCodes = (name: string): boolean => weights.formatOf?.(name) !== undefined && !name.includes("embed");
    const places = weights.names.filter((name) => !staysCodes(name)).map((name) => weights.locate(name));
    const decoded = places.filter((at) => at?.file === undefined).reduce((n, at) => n + (at?.bytes ?? 0), 0);
    assert.ok(decoded > 0 && places.length < weights.names.length);
    const { bytes } = await planRun(compose(specOf(file), catalog), host);
    assert.equal(bytes.weightCopies, 2 * decoded);
    const mapped = await planRun(compose(specOf(join(home, "whole")), catalog), host);
    assert.equal(mapped.bytes.weightCopies, undefined);
    assert.ok(Number(bytes.frozenWeights) < Number(mapped.bytes.frozenWeights));
  });
  it("a runner that has it in its folder of models asks no server for it", async () => {
    const asked: string[] = [];
    const client = { modelFiles: (_lease: unknown, name: string) => (asked.push(name), Promise.resolve([])) };
    const lease = { spec: { ...specOf("tiny") } as unknown as Named<Json> } as Lease;
    const options = {
      client: client as unknown as RunnerClient,
      server: "http://x",
      work: join(home, "work"),
      catalogFor: () => Promise.resolve(catalog),
    };
    const { spec } = await localSpec(lease, { ...options, models: join(home, "models") });
    assert.deepEqual([asked, (spec.model as Named<Named<Json>>).with?.path], [[], folder]);
    await localSpec(lease, { ...options, models: home });
    assert.deepEqual(asked, ["tiny"]);
  });
  it("a server folds an adapter into it as attune merge does, and both compute the same", async () => {
    cpSync(join(home, "peft"), join(home, "models", "fitted"), { recursive: true });
    const keys = [{ key: "k", tenant: "me", scopes: ["models", "infer", "files", "merge"] as const }];
    const app = createApp({
      catalog,
      host,
      keys,
      models: folderModels(join(home, "models"), host),
      jobs: await testJobs(),
    });
    const asked = async (body: Named<Json>): Promise<Response> =>
      await app.request("/v1/adapters/merge", {
        method: "POST",
        headers: { authorization: "Bearer k", "content-type": "application/json" },
        body: JSON.stringify({ adapters: [{ file: "fitted" }], base: "tiny", ...body }),
      });
    const answer = await asked({});
    const bytes = new Uint8Array(await answer.arrayBuffer());
    assert.equal(answer.status, 200, new TextDecoder().decode(bytes));
    const found = readSafetensors(bytes, "over HTTP");
    const wanted = readSafetensors(readFileSync(join(home, "merged", "model.safetensors")), "merged");
    assert.deepEqual(found, wanted);
    const checked = await (await asked({ store: true, verify: true })).json();
    assert.ok(checked.verify?.maxLogitDifference < 1e-3, JSON.stringify(checked));
    const elsewhere = await (await asked({ base: "https://models.example/tiny.gguf" })).json();
    assert.match(elsewhere.error.message, /base: "https:.*tiny\.gguf" is not supported: a GGUF base must be/);
  });
  it("a server answers with its embeddings", async () => {
    const app = createApp({
      catalog,
      host,
      keys: [{ key: "k", tenant: "me", scopes: ["models", "infer"] }],
      models: folderModels(join(home, "models"), host),
    });
    const answer = await app.request("/v1/embeddings", {
      method: "POST",
      headers: { authorization: "Bearer k", "content-type": "application/json" },
      body: JSON.stringify({ model: "tiny", input: "the cat" }),
    });
    const { data } = await answer.json();
    assert.equal(answer.status, 200);
    assert.equal(data[0].embedding.length, 32);
    assert.ok(data[0].embedding.every(Number.isFinite));
  });
  it("several in a folder have to be told apart, and one that is not there is said to be missing", async () => {
    const two = join(home, "two");
    mkdirSync(two);
    for (const name of ["a.gguf", "b.gguf"]) writeFileSync(join(two, name), readFileSync(file));
    await assert.rejects(pretrained({ path: two }).open(host), /has 2 GGUF files: choose one of "a\.gguf", "b\.gguf"/);
    await assert.rejects(pretrained({ path: join(two, "c.gguf") }).open(host), /c\.gguf/);
    assert.equal((await pretrained({ path: join(two, "b.gguf") }).open(host)).config.model_type, "llama");
  });
});

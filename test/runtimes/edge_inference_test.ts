import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import OpenAI from "openai";
import { compose } from "../../core/spec/compose.ts";
import { predictRows } from "../../core/run/evaluate/infer.ts";
import { openRun } from "../../core/run/open/open.ts";
import { trainRun } from "../../core/run/train/train.ts";
import { storeWithin } from "../../core/files/within.ts";
import { writeSafetensors } from "../../core/files/safetensors.ts";
import type { Host, Json, Named, Ort, RunSpec, Store } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { memory } from "../../plugins/stores/memory.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { type EdgeRig, edgeRig } from "../edge.ts";
import { heldStore, tinyConfig, tinyFiles, tinyHost, tinyRows, tinySpec, tinyWeights } from "../tiny.ts";
import { jsonBytes } from "../../core/base/bytes.ts";

type Results = {
  results: { label: string; score: number; scores: Named<number> }[];
  error?: { code: string; param: string };
};
type Vectors = { data: { index: number; embedding: number[] }[]; usage: Named<number>; error?: { code: string } };

const texts = tinyRows.slice(0, 5).map((row) => String(row.text));
const uses: Named<{ use: string; with: Named<Json> }> = {
  a: { use: "lora", with: { r: 2, loraDropout: 0.1 } },
  b: { use: "lora", with: { r: 2 } },
  scaled: { use: "ia3", with: {} },
};
const { "classifier.weight": _weight, "classifier.bias": _bias, ...headless } = tinyWeights();

/** A tiny BERT of another depth: what is trained on it is of no use for the other. */
const deep = { ...tinyConfig, num_hidden_layers: 3 };

describe("classes and embeddings over HTTP", () => {
  let host: Host;
  let rig: EdgeRig;
  let opened = 0;
  const runs = new Map<string, Store>();

  const train = async (adapter: Json, at: Host, change: Named<Json> = {}): Promise<Store> => {
    const output = await memory().open(host);
    const training = { maxSteps: 3, learningRate: 0.05, seed: runs.size + 1 };
    const spec = { ...tinySpec({ adapter, training }), ...change } as unknown as RunSpec;
    for await (const _ of trainRun(compose(spec, catalog), at, { output }));
    return output;
  };

  before(async () => {
    const plain = await hostHere(1);
    const lib = plain.lib as Ort;
    const counting: Ort = {
      Tensor: lib.Tensor,
      InferenceSession: {
        create: (model, options) => {
          opened++;
          return lib.InferenceSession.create(model, options);
        },
      },
    };
    host = tinyHost({ ...plain, lib: counting });
    for (const [name, use] of Object.entries(uses)) runs.set(name, await train([use as unknown as Json], host));
    runs.set("whole", await train([], host));
    const other = { use: "random", with: { path: "tiny:model", config: deep } };
    runs.set("deep", await train([{ use: "lora", with: { r: 2 } }], host, { model: other as unknown as Json }));
    const pooled = {
      ...tinyFiles(),
      "modules.json": jsonBytes([
        { idx: 0, path: "", type: "sentence_transformers.models.Transformer" },
        { idx: 1, path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
      ]),
      "1_Pooling/config.json": jsonBytes({ pooling_mode_cls_token: true, pooling_mode_mean_tokens: false }),
      "sentence_bert_config.json": jsonBytes({ max_seq_length: 6 }),
    };
    rig = edgeRig({
      host,
      limits: { sessions: 2 },
      stores: {
        ...Object.fromEntries([...runs].map(([name, store]) => [`run-${name}`, store])),
        ...Object.fromEntries([...runs].map(([name, store]) => [name, storeWithin(store, "adapter/")])),
        headless: heldStore({ ...tinyFiles(), "model.safetensors": writeSafetensors(headless) }),
        pooled: heldStore(pooled),
        dense: heldStore({ ...pooled, "modules.json": jsonBytes([{ path: "2_CNN", type: "x.CNN" }]) }),
      },
    });
  });

  const classify = (body: Named<Json>) => rig.post<Results>("/v1/classify", { model: "tiny", input: texts, ...body });
  /** What `attune predict` says of a run's directory. */
  const predicted = async (name: string): Promise<Results["results"]> => {
    const store = runs.get(name) as Store;
    const own: Host = {
      ...host,
      directory: (path) =>
        (path === "tiny:run"
          ? storeWithin(store, "adapter/")
          : path === "tiny:whole"
          ? storeWithin(store, "model/")
          : host.directory?.(path)) as Store,
      resolve: (path) => path,
    };
    const adapter = name in uses ? [{ use: uses[name]?.use ?? "", with: { from: "tiny:run" } }] : [];
    const model = name === "whole" ? { model: { use: "pretrained", with: { path: "tiny:whole" } } } : {};
    const run = compose(
      { ...tinySpec({ adapter: adapter as unknown as Json }), ...model } as unknown as RunSpec,
      catalog,
    );
    const rows: Named<Json>[] = [];
    const data = run.use("data", { use: "memory", with: { rows: texts.map((text) => ({ text })) } });
    for await (const prediction of predictRows(await openRun(run, own), data)) rows.push(prediction);
    return rows as unknown as Results["results"];
  };
  const same = (actual: Results, wanted: Results["results"]): void => {
    assert.equal(actual.results?.length, wanted.length, JSON.stringify(actual));
    actual.results.forEach((result, i) => {
      const right = wanted[i] as Results["results"][number];
      assert.deepEqual([result.label, Object.keys(result.scores)], [right.label, Object.keys(right.scores)]);
      for (const [label, score] of Object.entries(result.scores)) {
        assert.ok(Math.abs(score - (right.scores[label] ?? NaN)) <= 1e-5, `${label}: ${score}`);
      }
    });
  };

  it("are those of attune predict, for each adapter of one session", async () => {
    const wanted = { a: await predicted("a"), b: await predicted("b") };
    assert.notDeepEqual(wanted.a, wanted.b);
    const before = opened;
    for (const name of ["a", "b", "a"] as const) same((await classify({ adapter: name })).json, wanted[name]);
    assert.equal(opened - before, 1);
  });
  it("concurrent requests do not mix", async () => {
    const wanted = { a: await predicted("a"), b: await predicted("b"), scaled: await predicted("scaled") };
    const names = ["a", "b", "scaled"] as const;
    const asked = Array.from({ length: 24 }, (_, i) => ({ name: names[i % 3] ?? "a", row: i % texts.length }));
    const answers = await Promise.all(
      asked.map(({ name, row }) => classify({ adapter: name, input: texts[row] ?? "" })),
    );
    answers.forEach(({ json }, i) => {
      const { name, row } = asked[i] as typeof asked[number];
      same(json, wanted[name].slice(row, row + 1));
    });
  });
  it("a run's directory is a model, with its adapter or whole", async () => {
    same((await classify({ model: "run-whole" })).json, await predicted("whole"));
    const base = await memory().open(host);
    for await (const { key } of runs.get("a")?.list("adapter/") ?? []) {
      const bytes = (await runs.get("a")?.get(key))?.bytes ?? new Uint8Array();
      const text = new TextDecoder().decode(bytes).replace("tiny:model", "tiny");
      await base.put(key, key.endsWith("adapter_config.json") ? new TextEncoder().encode(text) : bytes);
    }
    const own = edgeRig({ host, stores: { made: base } });
    same((await own.post<Results>("/v1/classify", { model: "made", input: texts })).json, await predicted("a"));
  });
  it("say what is wrong", async () => {
    const code = async (body: Named<Json>): Promise<unknown[]> => {
      const { status, json } = await classify(body);
      return [status, json.error?.code, json.error?.param];
    };
    assert.deepEqual(await code({ model: "headless" }), [400, "no_classifier", "model"]);
    assert.deepEqual(await code({ model: "nobody" }), [404, "model_not_found", "model"]);
    assert.deepEqual(await code({ adapter: "nobody" }), [404, "model_not_found", "adapter"]);
    assert.deepEqual(await code({ adapter: "headless" }), [400, "not_an_adapter", "adapter"]);
    assert.equal((await code({ adapter: "deep" }))[0], 400);
    assert.deepEqual(await code({ input: [] }), [400, "invalid_value", "input"]);
    const small = edgeRig({ host, limits: { modelBytes: 1000 } });
    const { status, json } = await small.post<Results>("/v1/classify", { model: "tiny", input: texts });
    assert.deepEqual([status, json.error?.code], [400, "model_too_large"]);
    const none = await edgeRig().post<Results>("/v1/classify", { model: "tiny", input: texts });
    assert.deepEqual([none.status, none.json.error?.code], [503, "not_configured"]);
  });
  it("what a model computes for one request has a time", async () => {
    const hurried = edgeRig({ host, limits: { computeSeconds: 0 } });
    for (const path of ["/v1/classify", "/v1/embeddings"]) {
      const { status, json } = await hurried.post<Vectors>(path, { model: "tiny", input: texts });
      assert.deepEqual([status, json.error?.code], [503, "work_limit"]);
    }
  });
  it("embeddings have length 1, for texts as for their tokens, as OpenAI's client reads them", async () => {
    const client = new OpenAI({
      apiKey: "key-a",
      baseURL: "http://edge/v1",
      fetch: (url, init) => Promise.resolve(rig.app.request(url as string, init as RequestInit)),
    });
    const { data, usage } = await client.embeddings.create({ model: "headless", input: texts });
    const plain = await client.embeddings.create({ model: "headless", input: texts, encoding_format: "float" });
    assert.equal(data.length, texts.length);
    data.forEach(({ embedding, index }, i) => {
      assert.equal(index, i);
      assert.equal(embedding.length, 16);
      assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-6);
      assert.deepEqual(embedding.map(Math.fround), plain.data[i]?.embedding.map(Math.fround));
    });
    const { json: encoded } = await rig.post<{ encodings: { inputIds: number[] }[] }>("/v1/tokenize", {
      tokenizer: "headless",
      input: texts,
    });
    const ids = encoded.encodings.map((e) => e.inputIds);
    assert.equal(usage.total_tokens, ids.flat().length);
    const again = await client.embeddings.create({ model: "headless", input: ids });
    again.data.forEach(({ embedding }, i) => assert.deepEqual(embedding, data[i]?.embedding));
    const one = await client.embeddings.create({ model: "headless", input: ids[0] ?? [] });
    one.data[0]?.embedding.forEach((x, i) => assert.ok(Math.abs(x - (data[0]?.embedding[i] ?? NaN)) < 1e-6));
  });
  it("embeddings are pooled as the model's modules say, and cut where they say", async () => {
    const of = (model: string, input: string) => rig.post<Vectors>("/v1/embeddings", { model, input });
    const { json } = await of("pooled", "the film was very good and nice !");
    const [vector] = json.data;
    assert.ok(Math.abs(Math.hypot(...vector?.embedding ?? []) - 1) > 0.1);
    assert.equal(json.usage.total_tokens, 6);
    const refused = await of("dense", "the film");
    assert.deepEqual([refused.status, refused.json.error?.code], [400, "unsupported"]);
  });
});

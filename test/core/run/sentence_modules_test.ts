/**
 * Folders of sentence-transformers: pooling, layers, prompts and lengths as Python has them, from every door, and kept by
 * what a run writes.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { predictRows } from "../../../core/run/evaluate/infer.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import { storeWithin } from "../../../core/files/within.ts";
import type { Host, Json, Named, RunSpec, Store } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { folders } from "../../sentence_folders.ts";
import { heldStore } from "../../tiny.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";
import { collect } from "../../../core/base/collect.ts";

const path = new URL("../../fixtures/sentence_modules.json", import.meta.url);
const expected: Named<number[][]> = JSON.parse(readFileSync(path, "utf8"));
const texts = ["the film was good", "a very nice phone !", "Dull", "the food was awful and not fun ."];
const all = folders();
const plain = await hostHere(1);

const hostOf = (files: Store): Host => ({ ...plain, directory: () => files, resolve: (name) => name });
const specOf = (task: Json, more: Named<Json> = {}): RunSpec =>
  ({
    version: 1,
    model: { use: "pretrained", with: { path: "folder" } },
    task,
    data: {},
    ...more,
  }) as unknown as RunSpec;

async function embedded(files: Store, task: Json): Promise<number[][]> {
  const run = compose(specOf(task), catalog);
  const rows = run.use("data", { use: "memory", with: { rows: texts.map((text) => ({ text })) } });
  const vectors: number[][] = [];
  for await (const { embedding } of predictRows(await openRun(run, hostOf(files)), rows)) {
    vectors.push(embedding as number[]);
  }
  return vectors;
}

function near(actual: readonly number[][], wanted: readonly number[][], tolerance = 3e-6): void {
  assert.equal(actual.length, wanted.length);
  actual.forEach((vector, i) => {
    assert.equal(vector.length, wanted[i]?.length);
    vector.forEach((x, k) =>
      assert.ok(Math.abs(x - (wanted[i]?.[k] ?? NaN)) < tolerance, `${i}.${k}: ${x} ${wanted[i]?.[k]}`)
    );
  });
}

const pairs = [["the film was good", "a nice food", 0.9], ["Dull", "the phone was great !", 0.1]] as const;
const training: Named<Json> = {
  data: {
    train: { use: "memory", with: { rows: pairs.map(([text, textPair, score]) => ({ text, textPair, score })) } },
  },
  training: { maxSteps: 2, learningRate: 0.01 },
};

async function trained(files: Store, task: Json, more: Named<Json> = {}): Promise<Store> {
  const output = await memory().open(plain);
  const run = compose(specOf(task, { ...training, ...more }), catalog);
  for await (const _ of trainRun(run, hostOf(files), { output })) { /* to its end */ }
  return output;
}

describe("folders of sentence-transformers", () => {
  for (const [name, files] of Object.entries(all)) {
    it(`${name}: embeddings equal Python's, of both tasks`, async () => {
      const wanted = expected[name] ?? [];
      for (const use of ["feature-extraction", "sentence-similarity"]) {
        near(await embedded(heldStore(files), { use }), wanted);
      }
    });
  }

  it("are kept by what a run writes", async () => {
    for (const name of ["cls", "several", "layers", "prompt", "short"]) {
      const output = await trained(heldStore(all[name] ?? {}), { use: "sentence-similarity" });
      const model = storeWithin(output, "model/");
      const [before, after] = [
        await embedded(heldStore(all[name] ?? {}), { use: "feature-extraction" }),
        await embedded(model, { use: "feature-extraction" }),
      ];
      assert.equal(after[0]?.length, before[0]?.length, name);
      assert.notDeepEqual(after, before);
      const listed = new TextDecoder().decode((await model.get("modules.json"))?.bytes);
      const kinds = (text: string): string[] => JSON.parse(text).map((m: { type: string }) => m.type.split(".").at(-1));
      assert.deepEqual(kinds(listed), kinds(new TextDecoder().decode(all[name]?.["modules.json"])), name);
    }
    const output = await trained(heldStore(all.layers ?? {}), { use: "sentence-similarity" }, {
      adapter: [{ use: "lora", with: { r: 2 } }],
    });
    const keys = (await collect(output.list("adapter/"))).map(({ key }) => key);
    for (const key of ["modules.json", "1_Pooling/config.json", "2_Dense/model.safetensors"]) {
      assert.ok(keys.includes(`adapter/${key}`), key);
    }
  });

  it("are overruled by the spec, and what is saved says so", async () => {
    const cls = heldStore(all.cls ?? {});
    near(await embedded(cls, { use: "feature-extraction", with: { pooling: "max" } }), expected.max ?? []);
    const prompted = heldStore(all.prompt ?? {});
    const silent = await embedded(prompted, { use: "feature-extraction", with: { prompt: "" } });
    near(silent, await embedded(cls, { use: "feature-extraction", with: { pooling: "mean" } }));
    const task = { use: "sentence-similarity", with: { pooling: "last", normalize: true, prompt: "a film : " } };
    const model = storeWithin(await trained(cls, task), "model/");
    const again = await embedded(model, { use: "feature-extraction" });
    near(
      again,
      await embedded(model, {
        use: "feature-extraction",
        with: { pooling: "last", normalize: true, prompt: "a film : " },
      }),
    );
    again.forEach((vector) => assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-5));
  });

  it("with modules that are not implemented are refused by name", async () => {
    const of = (change: Named<Uint8Array>): Promise<unknown> =>
      embedded(heldStore({ ...all.dense, ...change }), { use: "feature-extraction" });
    await assert.rejects(
      of({ "modules.json": jsonBytes([{ path: "", type: "x.Transformer" }, { path: "1_CNN", type: "x.CNN" }]) }),
      /modules\.json: "CNN"/,
    );
    await assert.rejects(
      of({ "1_Pooling/config.json": jsonBytes({ pooling_mode: "median" }) }),
      /pooling_mode: "median"/,
    );
    await assert.rejects(
      of({ "2_Dense/config.json": jsonBytes({ out_features: 6, activation_function: "x.Odd" }) }),
      /activation_function: "x\.Odd"/,
    );
    const { "2_Dense/model.safetensors": _, ...rest } = all.dense ?? {};
    await assert.rejects(
      embedded(heldStore(rest), { use: "feature-extraction" }),
      /2_Dense\/model\.safetensors is missing/,
    );
    await assert.rejects(
      of({ "modules.json": jsonBytes([{ path: "../x", type: "x.Pooling" }]) }),
      /not the name of a folder/,
    );
  });
});

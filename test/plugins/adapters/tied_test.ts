/**
 * Modules that share a tensor, and adapters that PEFT saved for one of them: losses of the saved adapter and of training it
 * on, and of what merging and exporting write, are PEFT's.
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { openAdapter } from "../../../formats/peft/merge/config.ts";
import { mergeIntoBase } from "../../../formats/peft/merge/into_base.ts";
import { writeModel } from "../../../formats/peft/merge/write_model.ts";
import { openAdapterPool } from "../../../core/inference/adapter_pool.ts";
import { layOut } from "../../../core/loop/layout.ts";
import { encodeAll } from "../../../core/run/rows/data.ts";
import { evaluateRun } from "../../../core/run/evaluate/evaluate.ts";
import { describeTrainedModel } from "../../../core/run/write/export.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { configIn, sharedTensors } from "../../../core/run/open/shared_tensors.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import { openWeights, writeSafetensors } from "../../../core/files/safetensors.ts";
import { sizeOf, type Tensor } from "../../../core/base/tensor.ts";
import type { Host, Json, Named, Row, Run, RunSpec, Store } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { placed } from "../../conformance/families.ts";
import { tinyHost } from "../../tiny.ts";
import figures from "../../fixtures/tied.json" with { type: "json" };
import { sampled } from "../../sampled.ts";

type Saved = Readonly<
  { name: string; config: Named<Json>; tensors: Named<readonly number[]>; losses: readonly number[] }
>;
type Case = Readonly<{
  family: string;
  task: string;
  config: Named<Json>;
  tensors: Named<readonly number[]>;
  loss: number;
  adapters: readonly Saved[];
}>;
const cases = figures.cases as unknown as readonly Case[];

/** The weights that the script beside the figures makes. */
function formula(name: string, dims: readonly number[]): Tensor<Float32Array> {
  const seed = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) * 0.7;
  const base = name.endsWith("weight") && name.toLowerCase().includes("norm") ? 1 : 0;
  const data = Float32Array.from({ length: sizeOf(dims) }, (_, i) => base + 0.3 * Math.sin(i * 12.9898 + seed));
  return { dtype: "float32", dims, data };
}

function turned({ dims: [rows = 1, columns = 1], data }: Tensor<Float32Array>): Tensor<Float32Array> {
  const out = Float32Array.from(data, (_, i) => data[(i % rows) * columns + Math.floor(i / rows)] ?? 0);
  return { dtype: "float32", dims: [columns, rows], data: out };
}

/** What a saved adapter's file has: a module's own tensor is the base's, and what is shared is equal under both names. */
function adapterTensor(key: string, { tensors, config }: Saved, base: Case["tensors"]): Tensor<Float32Array> {
  const dims = tensors[key] ?? [];
  if (key.includes(".base_layer.")) {
    const name = key.replace("base_model.model.", "").replace(".base_layer.", ".");
    const own = base[name] ? name : Object.keys(base).find((other) => `${base[other]}` === `${dims}`);
    return formula(own ?? "", dims);
  }
  const source = Object.keys(tensors).find((name) => name.includes("embed_tokens"))?.split("embed_tokens")[0];
  if (config.ensure_weight_tying && key.includes("lm_head.")) {
    const of = (part: string): Tensor<Float32Array> =>
      formula(`${source}embed_tokens${part}`, tensors[`${source}embed_tokens${part}`] ?? []);
    if (key.endsWith("lm_head.weight")) return of(".weight");
    return turned(of(key.endsWith("lora_A.weight") ? ".lora_embedding_B" : ".lora_embedding_A"));
  }
  return formula(key, dims);
}

const rowsOf = ({ task }: Case): Row[] =>
  figures.ids.map((input_ids, i) => ({
    input_ids,
    labels: task === "causal-lm" ? input_ids : (task === "seq2seq-lm" ? figures.answers : figures.told)[i],
    ...(task === "masked-lm" ? { token_type_ids: input_ids.map(() => 0) } : {}),
  })) as Row[];

const bytes = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

async function hostOf(own: Case, saved: Saved): Promise<Host> {
  const weights = Object.fromEntries(Object.entries(own.tensors).map(([name, dims]) => [name, formula(name, dims)]));
  const host = tinyHost(await hostHere(1), {
    "config.json": bytes(own.config),
    "model.safetensors": writeSafetensors(weights),
  });
  const adapter = await memory().open(host);
  const tensors = Object.keys(saved.tensors).map((key) => [key, adapterTensor(key, saved, own.tensors)]);
  await adapter.put("adapter_config.json", bytes(saved.config));
  await adapter.put("adapter_model.safetensors", writeSafetensors(Object.fromEntries(tensors)));
  return placed(host, "tiny:adapter", adapter, "");
}

function runOf(own: Case, path: string, adapter: Json): Run {
  const rows = rowsOf(own);
  return compose({
    version: 1,
    model: { use: "pretrained", with: { path } },
    task: own.task,
    data: { train: { use: "memory", with: { rows } }, eval: { use: "memory", with: { rows } } },
    adapter,
    optimizer: "sgd",
    schedule: "constant",
    training: {
      learningRate: figures.rate,
      maxSteps: 2,
      perDeviceTrainBatchSize: 2,
      perDeviceEvalBatchSize: 2,
      maxGradNorm: 0,
      trainSamplingStrategy: "sequential",
      saveStrategy: "no",
    },
  } as unknown as RunSpec, catalog);
}

const FROM: Json = [{ use: "lora", with: { from: "tiny:adapter" } }];

function near(found: number | undefined, wanted: number | undefined, what: string): void {
  assert.ok(Math.abs((found ?? NaN) - (wanted ?? NaN)) < 1e-5, `${what}: ${found}, PEFT has ${wanted}`);
}

async function lossOf(own: Case, host: Host, path: string, adapter: Json): Promise<number | undefined> {
  const run = runOf(own, path, adapter);
  const open = await openRun(run, host);
  return (await evaluateRun(open, open.run.data.eval as never)).loss;
}

async function written(host: Host, write: (to: Store) => Promise<unknown>): Promise<Host> {
  const to = await memory().open(host);
  await write(to);
  return placed(host, "tiny:written", to, "");
}

for (const own of sampled(cases)) {
  describe(`${own.family}, whose modules share a table`, () => {
    for (const saved of own.adapters) {
      it(saved.name, async () => {
        const host = await hostOf(own, saved);
        const [first, ...rest] = saved.losses;
        near(await lossOf(own, host, "tiny:model", FROM), first, "saved");
        const steps: number[] = [];
        let after = NaN;
        for await (const event of trainRun(runOf(own, "tiny:model", FROM), host, {})) {
          if (event.type === "step") steps.push(event.loss);
          if (event.type === "evaluate") after = event.metrics.loss ?? NaN;
        }
        near(steps[0], first, "first step");
        near(steps[1], rest[0], "second step");
        near(after, rest[1], "trained");

        const base = host.directory?.("tiny:model") as Store;
        const adapter = await openAdapter("adapter", host.directory?.("tiny:adapter") as Store);
        const weights = await openWeights(base);
        const shared = sharedTensors(catalog, await configIn("merge", base, "base"), weights.names);
        const merged = await written(host, (to) => writeModel(mergeIntoBase(weights, adapter, { shared }), base, to));
        near(await lossOf(own, merged, "tiny:written", []), first, "merged into the base");

        const open = await openRun(runOf(own, "tiny:model", FROM), host);
        const exporter = open.run.use("exporter", { use: "hf", with: { merge: true } });
        const exported = await written(host, async (to) => exporter.write(await describeTrainedModel(open), to));
        near(await lossOf(own, exported, "tiny:written", []), first, "exported");

        const set = await openAdapterPool(runOf(own, "tiny:model", []), host);
        const samples = await encodeAll(open, open.run.data.eval as never, false);
        const logitsOf = async (stack: readonly string[]): Promise<Float32Array | undefined> =>
          (await set.run(layOut(samples, set.layout(stack)), stack)).outputs.logits?.data;
        await set.add("a", { use: "lora", with: { from: "tiny:adapter" } });
        const wanted = await logitsOf(["a"]);
        await set.merge(["a"]);
        const found = await logitsOf([]);
        await set.close();
        assert.ok(wanted && found?.length === wanted.length);
        const most = found.reduce((most, x, i) => Math.max(most, Math.abs(x - (wanted[i] ?? NaN))), 0);
        assert.ok(most < 1e-4, `logits of the set: ${most}`);
      });
    }
  });
}

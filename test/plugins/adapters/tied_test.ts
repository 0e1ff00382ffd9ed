/**
 * Modules that share a tensor, and adapters that PEFT saved for one of them: losses of the saved adapter and of training it
 * on, and of what merging and exporting write, are PEFT's.
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
import type { Tensor } from "../../../core/base/tensor.ts";
import type { Host, Json, Named, Row, Run, RunSpec, Store } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { placed } from "../../conformance/families.ts";
import figures from "../../fixtures/tied.json" with { type: "json" };
import { sampled } from "../../sampled.ts";
import { formulaTensor, formulaWeights, modelHost } from "../../formula.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";
import { near } from "../../near.ts";

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
    return formulaTensor(own ?? "", dims);
  }
  const source = Object.keys(tensors).find((name) => name.includes("embed_tokens"))?.split("embed_tokens")[0];
  if (config.ensure_weight_tying && key.includes("lm_head.")) {
    const of = (part: string): Tensor<Float32Array> =>
      formulaTensor(`${source}embed_tokens${part}`, tensors[`${source}embed_tokens${part}`] ?? []);
    if (key.endsWith("lm_head.weight")) return of(".weight");
    return turned(of(key.endsWith("lora_A.weight") ? ".lora_embedding_B" : ".lora_embedding_A"));
  }
  return formulaTensor(key, dims);
}

const rowsOf = ({ task }: Case): Row[] =>
  figures.ids.map((input_ids, i) => ({
    input_ids,
    labels: task === "causal-lm" ? input_ids : (task === "seq2seq-lm" ? figures.answers : figures.told)[i],
    ...(task === "masked-lm" ? { token_type_ids: input_ids.map(() => 0) } : {}),
  })) as Row[];

async function hostOf(figure: Case, saved: Saved): Promise<Host> {
  const host = await modelHost(figure.config, formulaWeights(figure.tensors));
  const adapter = await memory().open(host);
  const tensors = Object.keys(saved.tensors).map((key) => [key, adapterTensor(key, saved, figure.tensors)]);
  await adapter.put("adapter_config.json", jsonBytes(saved.config));
  await adapter.put("adapter_model.safetensors", writeSafetensors(Object.fromEntries(tensors)));
  return placed(host, "tiny:adapter", adapter, "");
}

function runOf(figure: Case, path: string, adapter: Json): Run {
  const rows = rowsOf(figure);
  return compose({
    version: 1,
    model: { use: "pretrained", with: { path } },
    task: figure.task,
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

for (const figure of sampled(cases)) {
  describe(`${figure.family}, whose modules share a table`, () => {
    for (const saved of figure.adapters) {
      it(saved.name, async () => {
        const host = await hostOf(figure, saved);
        const [first, ...rest] = saved.losses;
        near(await lossOf(figure, host, "tiny:model", FROM), first, 1e-5, "saved");
        const steps: number[] = [];
        let after = NaN;
        for await (const event of trainRun(runOf(figure, "tiny:model", FROM), host, {})) {
          if (event.type === "step") steps.push(event.loss);
          if (event.type === "evaluate") after = event.metrics.loss ?? NaN;
        }
        near(steps[0], first, 1e-5, "first step");
        near(steps[1], rest[0], 1e-5, "second step");
        near(after, rest[1], 1e-5, "trained");

        const base = host.directory?.("tiny:model") as Store;
        const adapter = await openAdapter("adapter", host.directory?.("tiny:adapter") as Store);
        const weights = await openWeights(base);
        const shared = sharedTensors(catalog, await configIn("merge", base, "base"), weights.names);
        const merged = await written(host, (to) => writeModel(mergeIntoBase(weights, adapter, { shared }), base, to));
        near(await lossOf(figure, merged, "tiny:written", []), first, 1e-5, "merged into the base");

        const open = await openRun(runOf(figure, "tiny:model", FROM), host);
        const exporter = open.run.use("exporter", { use: "hf", with: { merge: true } });
        const exported = await written(host, async (to) => exporter.write(await describeTrainedModel(open), to));
        near(await lossOf(figure, exported, "tiny:written", []), first, 1e-5, "exported");

        const set = await openAdapterPool(runOf(figure, "tiny:model", []), host);
        const samples = await encodeAll(open, open.run.data.eval as never, false);
        const logitsOf = async (stack: readonly string[]): Promise<Float32Array | undefined> =>
          (await set.run(layOut(samples, set.layout(stack)), stack)).outputs.logits?.data;
        await set.add("a", { use: "lora", with: { from: "tiny:adapter" } });
        const wanted = await logitsOf(["a"]);
        await set.merge(["a"]);
        const logits = await logitsOf([]);
        await set.close();
        assert.ok(wanted && logits?.length === wanted.length);
        const most = logits.reduce((most, x, i) => Math.max(most, Math.abs(x - (wanted[i] ?? NaN))), 0);
        assert.ok(most < 1e-4, `logits of the set: ${most}`);
      });
    }
  });
}

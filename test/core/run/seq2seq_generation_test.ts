/** What encoder-decoder models go on with, against transformers' generate; texts in predictions and metrics. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { openAdapterPool } from "../../../core/inference/adapter_pool.ts";
import { generateSamples, generationOf } from "../../../core/run/evaluate/generate.ts";
import { encodeAll } from "../../../core/run/rows/data.ts";
import { evaluateRun } from "../../../core/run/evaluate/evaluate.ts";
import { openEvaluator, predictRows } from "../../../core/run/evaluate/infer.ts";
import { type OpenRun, openRun } from "../../../core/run/open/open.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import { storeWithin } from "../../../core/files/within.ts";
import { sizeOf, type Tensor } from "../../../core/base/tensor.ts";
import type { GenerationConfig, Json, Named, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import figures from "../../fixtures/seq2seq_generation.json" with { type: "json" };
import { modelHost } from "../../formula.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";
import { collect } from "../../../core/base/collect.ts";

type Case = Readonly<{
  name: string;
  config: Named<Json>;
  tensors: Named<readonly number[]>;
  factor: number;
  shift: number;
  generated: readonly (readonly (readonly number[])[])[];
}>;
const cases = figures.cases as unknown as readonly Case[];

/** The weights that the script beside the figures makes. */
function formula(name: string, dims: readonly number[], { factor, shift }: Case): Tensor<Float32Array> {
  const seed = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) * 0.7;
  const norm = name.endsWith("weight") && name.includes("norm");
  const data = Float32Array.from({ length: sizeOf(dims) }, (_, i) => {
    const x = Math.sin(i * 12.9898 + seed + shift) * 43758.5453;
    const value = factor * (2 * (x - Math.floor(x)) - 1);
    return norm ? 1 + value / 3 : value;
  });
  return { dtype: "float32", dims, data };
}

type Change = Readonly<{ rows?: readonly unknown[]; task?: Named<Json>; metrics?: Json; files?: Named<Uint8Array> }>;

async function opened(figure: Case, change: Change = {}): Promise<OpenRun> {
  const weights = Object.fromEntries(Object.entries(figure.tensors).map(([k, dims]) => [k, formula(k, dims, figure)]));
  const host = await modelHost(figure.config, weights, change.files);
  const data = { use: "memory", with: { rows: change.rows ?? figures.rows.map((input_ids) => ({ input_ids })) } };
  const spec = {
    version: 1,
    model: { use: "pretrained", with: { path: "tiny:model" } },
    task: { use: "seq2seq-lm", with: change.task ?? {} },
    data: { train: data, eval: data },
    ...(change.metrics ? { metrics: change.metrics } : {}),
    training: { perDeviceEvalBatchSize: 3, maxSteps: 2, learningRate: 0.01 },
  };
  return await openRun(compose(spec as unknown as RunSpec, catalog), host);
}

async function generated(open: OpenRun, asked: Partial<GenerationConfig>): Promise<number[][]> {
  const samples = await encodeAll(open, open.run.data.train as never, false);
  const evaluator = openEvaluator(open);
  const generator = await evaluator.generator();
  const found: number[][] = [];
  const options = await generationOf(open, asked);
  for await (const { tokens } of generateSamples(open, generator, samples, options)) {
    // The token that ended it is none of the text's.
    const ended = options.eosTokenIds.includes(tokens.at(-1) ?? -1);
    const own = ended ? tokens.slice(0, -1) : tokens;
    found.push([...own]);
  }
  await generator.close();
  await evaluator.close();
  return found;
}

const camel = (name: string): string => name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
const rows = [{ source: "the film was good", target: "good film" }, { source: "a food is bad", target: "bad" }];

for (const figure of cases) {
  describe(figure.name, () => {
    figures.settings.forEach((settings, i) => {
      it(`goes on as transformers does: ${JSON.stringify(settings)}`, async () => {
        const asked = Object.fromEntries(Object.entries(settings).map(([name, value]) => [camel(name), value]));
        assert.deepEqual(await generated(await opened(figure), asked), figure.generated[i]);
      });
    });
  });
}

const [first] = cases as [Case];

describe("generation", () => {
  it("takes its defaults from generation_config.json, and refuses what is not implemented", async () => {
    const config = (fields: Named<Json>): Named<Uint8Array> => ({
      "generation_config.json": jsonBytes(fields),
    });
    const saved = await opened(first, { files: config({ max_length: 9, num_beams: 3, eos_token_id: 3 }) });
    assert.deepEqual(await generated(saved, {}), first.generated[3]);
    const other = await opened(first, { files: config({ penalty_alpha: 0.6 }) });
    await assert.rejects(generated(other, {}), /penalty_alpha/);
  });

  it("draws the same for a seed, and otherwise for another; one likely token alone is the likeliest", async () => {
    const open = await opened(first);
    const draw = { doSample: true, maxNewTokens: 10, temperature: 2, topK: 0 };
    const one = await generated(open, { ...draw, seed: 1 });
    assert.deepEqual(one, await generated(open, { ...draw, seed: 1 }));
    assert.notDeepEqual(one, await generated(open, { ...draw, seed: 2 }));
    assert.deepEqual(await generated(open, { ...draw, topK: 1 }), first.generated[0]);
    assert.deepEqual(await generated(open, { ...draw, topP: 1e-6 }), first.generated[0]);
  });

  it("answers rows with texts, and measures them", async () => {
    const task = { generation: { maxNewTokens: 6 } };
    const open = await opened(first, { rows, task, metrics: ["rouge", "perplexity"] });
    const texts: Json[] = [];
    for await (const prediction of predictRows(open, open.run.data.eval as never)) texts.push(prediction.text ?? null);
    assert.equal(texts.length, 2);
    assert.ok(texts.every((text) => typeof text === "string"));
    const metrics = await evaluateRun(open, open.run.data.eval as never);
    assert.ok(metrics.loss !== undefined && metrics.perplexity !== undefined, `${Object.keys(metrics)}`);
    const [rouge] = open.metrics;
    assert.ok(rouge);
    const state = rows.reduce(
      (state, { target }, i) => rouge.update(state, { prediction: String(texts[i]), references: [target] }),
      rouge.init(),
    );
    for (const [name, score] of Object.entries(rouge.compute(state))) assert.equal(metrics[name], score, name);
  });

  it("of a named adapter is that of its own run", async () => {
    const open = await opened(first, { rows, task: { generation: { maxNewTokens: 5, numBeams: 2 } } });
    const output = await memory().open(open.host);
    const spec = { ...open.run.spec, adapter: { use: "lora", with: { r: 2, initLoraWeights: false } } };
    for await (const _ of trainRun(compose(spec, catalog), open.host, { output }));
    const files = storeWithin(output, "adapter/");
    const host = {
      ...open.host,
      directory: (path: string) => path === "tiny:own" ? files : open.host.directory?.(path) ?? files,
      resolve: (path: string, base?: string) => path === "tiny:own" ? path : open.host.resolve?.(path, base) ?? path,
    };
    const from = { use: "lora", with: { from: "tiny:own" } };
    const textsOf = async (answers: AsyncIterable<Named<Json>>): Promise<unknown[]> => {
      return (await collect(answers)).map(({ text }) => text);
    };
    const alone = await openRun(compose({ ...spec, adapter: from }, catalog), host);
    const own = await textsOf(predictRows(alone, alone.run.data.eval as never));
    const set = await openAdapterPool(compose({ ...spec, adapter: [] }, catalog), host);
    await set.add("own", from);
    assert.deepEqual(await textsOf(set.predict(rows, "own")), own);
    assert.notDeepEqual(await textsOf(set.predict(rows, [])), own);
    await set.close();
  });

  it("measures texts of the weights as they are trained", async () => {
    const open = await opened(first, { rows, task: { generation: { maxNewTokens: 4 } }, metrics: ["rouge"] });
    const seen: Named<number>[] = [];
    for await (const event of trainRun(open.run, open.host, {})) if (event.type === "end") seen.push(event.metrics);
    assert.ok(Object.keys(seen[0] ?? {}).some((name) => name.startsWith("rouge")), JSON.stringify(seen));
  });
});

/** The accelerators of 16 bits: their kind's battery, and runs with them. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checksOf } from "../../../conformance/mod.ts";
import { compose } from "../../../core/spec/compose.ts";
import { AttuneError } from "../../../core/base/errors.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import { readSafetensors } from "../../../core/files/safetensors.ts";
import type { Json, Named, RunSpec, Store, TrainingEvent } from "../../../core/types.ts";
import { bf16 } from "../../../plugins/accelerators/bf16.ts";
import { fp16 } from "../../../plugins/accelerators/fp16.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { itPasses } from "../../checks.ts";
import { tinyHost, tinySpec } from "../../tiny.ts";

itPasses("fp16", checksOf(fp16(), { bound: 2 ** -8, weightBound: 2 ** -11 }));
itPasses("bf16", checksOf(bf16(), { bound: 2 ** -5, weightBound: 2 ** -8 }));
itPasses("fp16 without 16-bit storage", checksOf(fp16({ storage: "float32" }), { bound: 2 ** -8 }));

const host = tinyHost(await hostHere(1));
const store = (): Promise<Store> => memory().open(host);
type Step = Extract<TrainingEvent, { type: "step" }>;

async function run(
  spec: Named<Json>,
  output?: Store,
  options: Readonly<{ resume?: boolean; signal?: AbortSignal; onStep?: (step: number) => void }> = {},
): Promise<TrainingEvent[]> {
  const { onStep, ...rest } = options;
  const events: TrainingEvent[] = [];
  const made = compose({ loggers: ["jsonl"], ...spec } as unknown as RunSpec, catalog);
  for await (const event of trainRun(made, host, { ...(output ? { output } : {}), ...rest })) {
    events.push(event);
    if (event.type === "step") onStep?.(event.step);
  }
  return events;
}

const stepsOf = (events: readonly TrainingEvent[]): Step[] =>
  events.flatMap((event) => (event.type === "step" ? [event] : []));
const text = async (output: Store, key: string): Promise<string> =>
  new TextDecoder().decode((await output.get(key))?.bytes);
const logOf = async (output: Store): Promise<Named<Json>[]> =>
  (await text(output, "log.jsonl")).trim().split("\n").map((line) => JSON.parse(line) as Named<Json>);

async function contents(output: Store): Promise<Named<string>> {
  const files: Record<string, string> = {};
  for await (const { key } of output.list("")) {
    if (/^(model|adapter)\/.*safetensors$|^log|^metrics|^checkpoints\/.*safetensors$/.test(key)) {
      files[key] = String((await output.get(key))?.bytes);
    }
  }
  return files;
}

/** A scale at which the first steps' gradients overflow float16, and which is tried again soon. */
const high = { use: "fp16", with: { initScale: 2 ** 24, growthInterval: 3 } };
const training = { maxSteps: 20, perDeviceTrainBatchSize: 4 };

describe("fp16", () => {
  it("skips steps whose gradients overflow: neither rate nor optimizer count them, and the log says so", async () => {
    const output = await store();
    const events = await run({ ...tinySpec({ training }), accelerators: [high] }, output);
    const lines = (await logOf(output)).filter(({ type }) => type === "step");
    assert.equal(lines.length, 20);
    const skipped = lines.filter((line) => line.skipped === true);
    assert.ok(skipped.length > 2 && skipped.length < 15, `${skipped.length} skipped`);
    let [scale, tracker, good] = [2 ** 24, 0, 0];
    for (const line of lines) {
      assert.equal(line.lossScale, scale);
      const factor = 1 - good / 20;
      assert.ok(Math.abs(Number(line.learningRate) / (0.01 * factor) - 1) < 1e-12, `rate in step ${line.step}`);
      if (line.skipped) {
        assert.equal(line.gradNorm, null);
        assert.equal(typeof line.loss, "number", "the loss is as computed");
        [scale, tracker] = [scale / 2, 0];
      } else {
        good++;
        tracker++;
        if (tracker === 3) [scale, tracker] = [scale * 2, 0];
      }
    }
    const end = events.at(-1);
    assert.ok(end?.type === "end" && end.reason === "done");
    const told = events.filter((event) => event.type === "warning" && event.code === "LOSS_SCALE");
    assert.equal(told.length, skipped.length);
  });

  it("goes on within an interval of growth as it would have: no byte differs", async () => {
    const spec = {
      ...tinySpec({ dropout: 0.1, training: { ...training, gradientAccumulationSteps: 2, saveSteps: 50 } }),
      accelerators: [high],
    };
    const [whole, parts] = [await store(), await store()];
    await run(spec, whole);
    const stop = new AbortController();
    await run(spec, parts, { signal: stop.signal, onStep: (step) => step === 11 && stop.abort() });
    const manifest = JSON.parse(await text(parts, "checkpoints/step-00000011/checkpoint.json")) as {
      manifest: { state: { lossScale: Named<number>; skipped: number } };
    };
    const { lossScale, skipped } = manifest.manifest.state;
    assert.deepEqual(Object.keys(lossScale).sort(), ["goodSteps", "growthTracker", "scale"]);
    assert.ok(Number(lossScale.growthTracker) > 0, JSON.stringify(lossScale));
    assert.equal(lossScale.goodSteps, 11 - skipped);
    await run(spec, parts, { resume: true });
    // Only the interruption asked for that checkpoint.
    const planned = Object.entries(await contents(parts)).filter(([key]) => !key.includes("step-00000011"));
    const [got, due] = [Object.fromEntries(planned), await contents(whole)];
    assert.deepEqual(Object.keys(got), Object.keys(due));
    for (const key of Object.keys(due)) assert.ok(got[key] === due[key], key);
  });

  it("clips what is unscaled, and adds micro-batches up before: norms and losses are float32's but for rounding", async () => {
    const accumulated = tinySpec({
      training: { maxSteps: 3, perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 4 },
    });
    const plain = stepsOf(await run(accumulated));
    const scaled = stepsOf(await run({ ...accumulated, accelerators: [{ use: "fp16", with: { initScale: 1024 } }] }));
    for (const [i, { loss, gradNorm, skipped }] of scaled.entries()) {
      assert.equal(skipped, false);
      assert.ok(Math.abs(loss - (plain[i]?.loss ?? 0)) < 2e-3, `loss ${loss} in step ${i}`);
      assert.ok(Math.abs(gradNorm / (plain[i]?.gradNorm ?? 0) - 1) < 1e-2, `norm ${gradNorm} in step ${i}`);
      assert.notEqual(loss, plain[i]?.loss);
    }
  });

  it("takes losses of a vocabulary in blocks in float32, in evaluations as in training", async () => {
    const config = {
      model_type: "llama",
      vocab_size: 8192,
      hidden_size: 16,
      intermediate_size: 24,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      num_key_value_heads: 2,
      max_position_embeddings: 64,
      initializer_range: 0.2,
      bos_token_id: 2,
      eos_token_id: 3,
      pad_token_id: 0,
    };
    const rows = [1, 2, 3].map((n) => ({ text: "the film was very good and the food was bad ".repeat(n) }));
    for (const name of ["fp16", "bf16"]) {
      const data = { use: "memory", with: { rows } };
      const events = await run({
        version: 1,
        model: { use: "random", with: { tokenizer: "attune:base", config } },
        task: "causal-lm",
        data: { train: data, eval: data },
        accelerators: [name],
        training: {
          maxSteps: 1,
          trainSamplingStrategy: "sequential",
          evalOnStart: true,
          evalStrategy: "steps",
          saveStrategy: "no",
        },
      });
      const evaluated = events.find((event) => event.type === "evaluate")?.metrics.loss ?? NaN;
      const [step] = stepsOf(events);
      assert.ok(
        Math.abs(evaluated / (step?.loss ?? NaN) - 1) < 1e-6,
        `${evaluated} evaluated, ${step?.loss} in training`,
      );
    }
  });

  it("keeps master weights in float32", async () => {
    const output = await store();
    await run({ ...tinySpec({ training }), accelerators: ["bf16"] }, output);
    const tensors = readSafetensors((await output.get("model/model.safetensors"))?.bytes ?? new Uint8Array(), "model");
    const values = Object.values(tensors).flatMap(({ dtype, data }) => {
      assert.equal(dtype, "float32");
      return [...data as Float32Array];
    });
    const bits = new Uint32Array(Float32Array.from(values).buffer);
    assert.ok(bits.filter((b) => (b & 0xffff) !== 0).length > 0.9 * bits.length);
  });
});

describe("training.fp16 and training.bf16", () => {
  it("are the accelerators of these names, put last", async () => {
    for (const name of ["fp16", "bf16"]) {
      const [a, b] = [await store(), await store()];
      const events = await run(tinySpec({ training: { maxSteps: 3, [name]: true } }), a);
      await run({ ...tinySpec({ training: { maxSteps: 3 } }), accelerators: [name] }, b);
      assert.equal(await text(a, "log.jsonl"), await text(b, "log.jsonl"));
      const spec = JSON.parse(await text(a, "spec.json")) as { accelerators: Json; training: Named<Json> };
      assert.deepEqual(spec, JSON.parse(await text(b, "spec.json")));
      assert.equal(spec.training[name], undefined);
      const warnings = events.filter((event) => event.type === "warning" && event.code === "ACCELERATOR");
      assert.equal(warnings.length, 1);
      assert.match(JSON.stringify(warnings), /not faster/);
    }
  });

  const wrong = (spec: Named<Json>): string[] => {
    try {
      compose(spec as unknown as RunSpec, catalog);
      return [];
    } catch (error) {
      assert.ok(error instanceof AttuneError && error.code === "BAD_SPEC");
      return (error.found as AttuneError[]).map(({ path }) => path ?? "");
    }
  };

  it("are errors together, and beside an entry of their own", () => {
    assert.deepEqual(wrong(tinySpec({ training: { fp16: true, bf16: true } })), ["training.bf16"]);
    assert.deepEqual(wrong({ ...tinySpec(), accelerators: ["fp16", "bf16"] }), ["accelerators"]);
    for (const there of ["fp16", "bf16"]) {
      const spec = { ...tinySpec({ training: { fp16: true } }), accelerators: [there] };
      assert.deepEqual(wrong(spec), ["training.fp16"]);
    }
    assert.deepEqual(wrong({ ...tinySpec({ training: { fp16: false, bf16: false } }), accelerators: ["bf16"] }), []);
  });
});

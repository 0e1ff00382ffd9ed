/** A run over a quantized base is the same run over the base with its weights quantized and decoded before. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import type { Accelerator, Json, Named } from "../../../core/types.ts";
import { dequantizeFourBit, fourBitTables, quantizeFourBit } from "../../../formats/quantization/bitsandbytes.ts";
import { fp4 } from "../../../plugins/accelerators/fp4.ts";
import { int4 } from "../../../plugins/accelerators/int4.ts";
import { int8 } from "../../../plugins/accelerators/int8.ts";
import { nf4 } from "../../../plugins/accelerators/nf4.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { classes, families, made, specWith } from "../../conformance/families.ts";
import { tinyFiles, tinyHost, tinySpec } from "../../tiny.ts";
import { filesOf, hostWith, numbersOf, over, type Roundtrip, storedIn, withDecoded } from "./bases.ts";
import { sampled } from "../../sampled.ts";

const fourBit = (type: "nf4" | "fp4", blockSize: number): Roundtrip => (values) =>
  dequantizeFourBit(quantizeFourBit(values, type, blockSize), fourBitTables[type], blockSize, values.length);

const near = (actual: readonly number[], wanted: readonly number[], bound = 2e-5): void => {
  assert.equal(actual.length, wanted.length);
  actual.forEach((x, i) => {
    const y = wanted[i] ?? NaN;
    assert.ok(Math.abs(x - y) <= bound * Math.max(1, Math.abs(y)), `number ${i}: ${x} and ${y}`);
  });
};
const differs = (a: readonly number[], b: readonly number[]): boolean =>
  a.some((x, i) => Math.abs(x - (b[i] ?? NaN)) > 1e-3);

const plain = tinyHost(await hostHere(1));

const adapters: Named<Json> = {
  lora: { use: "lora", with: { r: 2, loraDropout: 0.1 } },
  "lora, pissa": { use: "lora", with: { r: 2, initLoraWeights: "pissa" } },
  dora: { use: "dora", with: { r: 2 } },
  ia3: { use: "ia3" },
  vera: { use: "vera", with: { r: 4 } },
  adalora: { use: "adalora", with: { initR: 3, targetR: 2, totalStep: 20 } },
  bitfit: { use: "bitfit" },
  "prompt-tuning": { use: "prompt-tuning", with: { numVirtualTokens: 2 } },
  "prefix-tuning": { use: "prefix-tuning", with: { numVirtualTokens: 2 } },
  "p-tuning": { use: "p-tuning", with: { numVirtualTokens: 2 } },
  pfeiffer: { use: "pfeiffer" },
  houlsby: { use: "houlsby" },
  parallel: { use: "parallel" },
  reft: { use: "reft" },
  "freeze: its last layer trains, the first is quantized": { use: "freeze", with: { trainLastLayers: 1 } },
};

describe("over nf4", () => {
  for (const [name, adapter] of sampled(Object.entries(adapters), 4)) {
    const otherwise: Named<Json> = { gradientCheckpointing: true, gradientAccumulationSteps: 2, rowSharing: false };
    for (const training of [{}, otherwise]) {
      const how = Object.keys(training).length > 0 ? ", checkpointing" : "";
      it(`${name}${how}`, async () => {
        const spec = tinySpec({ adapter, dropout: 0, training: { maxSteps: 4, ...training } });
        const host = hostWith(plain, tinyFiles());
        const quantized = over(spec, { accelerators: [{ use: "nf4", with: { blockSize: 32 } }] });
        const stored = await storedIn(quantized, host);
        assert.ok(stored.size >= 6, [...stored.keys()].join());
        const numbers = await numbersOf(quantized, host);
        const decoded = hostWith(plain, withDecoded(tinyFiles(), stored, fourBit("nf4", 32)));
        near(numbers, await numbersOf(over(spec, {}), decoded));
        assert.ok(differs(numbers, await numbersOf(over(spec, {}), host)), "it changes nothing");
      });
    }
  }
});

describe("over other codes", () => {
  const storages: readonly (readonly [Accelerator, number])[] = [
    [int4(), 2e-5],
    [int4({ blockSize: 16, symmetric: false }), 2e-5],
    [int4({ symmetric: false, useDoubleQuant: true }), 2e-5],
    [int4({ accuracyLevel: 4 }), 3e-2],
    [int4({ accuracyLevel: 4, symmetric: false, useDoubleQuant: true }), 3e-2],
    [int8({ forward: "float32" }), 2e-5],
    [int8(), 3e-2],
    [int8({ backward: "int8" }), 3e-2],
    [int8({ activationScale: "tensor" }), 3e-2],
    [nf4({ blockSize: 4096 }), 2e-5],
    [nf4({ blockSize: 32, useDoubleQuant: true }), 2e-5],
    [fp4({ blockSize: 512, useDoubleQuant: true }), 2e-5],
    [nf4({ computeDtype: "bfloat16" }), 3e-2],
    [nf4({ computeDtype: "float16" }), 5e-3],
    [int4({ computeDtype: "float16" }), 5e-3],
  ];
  for (const [accelerator, bound] of sampled(storages, 4)) {
    const { name, options } = accelerator;
    it(`${name} ${JSON.stringify(options)}`, async () => {
      const roundtrip: Roundtrip = (values, dims) => {
        const weight = { name: "w", module: "w", dims, conv1d: false };
        const storage = accelerator.store?.(weight);
        assert.ok(storage);
        return storage.format.decode(storage.encode(values, weight), dims);
      };
      const spec = tinySpec({ adapter: { use: "dora", with: { r: 2, targetModules: "all-linear" } } });
      const host = hostWith(plain, tinyFiles());
      const quantized = over(spec, { accelerators: [{ use: name, with: options as Json }] });
      const stored = await storedIn(quantized, host);
      const numbers = await numbersOf(quantized, host);
      const decoded = hostWith(plain, withDecoded(tinyFiles(), stored, roundtrip));
      near(numbers, await numbersOf(over(spec, {}), decoded), bound);
      assert.notDeepEqual(numbers, await numbersOf(over(spec, {}), host), "it changes nothing");
    });
  }
});

describe("of every family", () => {
  for (const [name, { task }] of sampled(Object.entries(families), 8)) {
    it(name, async () => {
      const files = await filesOf(await made(name), "model/");
      const host = hostWith(plain, files);
      const adapter = { use: "lora", with: { r: 2, targetModules: "all-linear" } };
      const spec = specWith(null, task, [adapter], 0.01) as unknown as Named<Json>;
      const quantized = over(spec, { accelerators: [{ use: "fp4", with: { blockSize: 64, useDoubleQuant: false } }] });
      const stored = await storedIn(quantized, host);
      assert.ok(stored.size > 0);
      const whole = JSON.stringify(task) === JSON.stringify(classes) ? /classifier|score|out_proj$/ : /lm_head|shared/;
      for (const one of stored.keys()) assert.doesNotMatch(one, whole);
      const decoded = hostWith(plain, withDecoded(files, stored, fourBit("fp4", 64)));
      near(await numbersOf(quantized, host), await numbersOf(over(spec, {}), decoded), 1e-4);
    });
  }
});

it("activations are rounded where they are asked to be, in training and evaluation alike", async () => {
  const spec = tinySpec({ adapter: "lora", training: { maxSteps: 1 } });
  const host = hostWith(plain, tinyFiles());
  const numbers = (options: Named<Json>): Promise<readonly number[]> =>
    numbersOf(over(spec, { accelerators: [{ use: "int4", with: options }] }), host);
  const [exact, rounded] = [await numbers({}), await numbers({ accuracyLevel: 4 })];
  exact.forEach((x, i) => assert.ok(Math.abs(x - (rounded[i] ?? NaN)) > 1e-6, `number ${i}: ${x} and ${rounded[i]}`));
});

describe("what is quantized", () => {
  const namesIn = async (family: string, options: Named<Json> = {}): Promise<readonly string[]> => {
    const files = await filesOf(await made(family), "model/");
    const spec = specWith(null, families[family]?.task ?? classes, [{ use: "lora" }], 0) as unknown as Named<Json>;
    const stored = await storedIn(
      over(spec, { accelerators: [{ use: "nf4", with: options }] }),
      hostWith(plain, files),
    );
    return [...stored.keys()].filter((name) => /\.0\./.test(name) || !/\.\d\./.test(name)).sort();
  };
  it("the linear layers of a decoder, not its head", async () =>
    assert.deepEqual(
      await namesIn("llama"),
      ["mlp.down_proj", "mlp.gate_proj", "mlp.up_proj", "self_attn.k_proj", "self_attn.o_proj", "self_attn.q_proj"]
        .concat("self_attn.v_proj").map((one) => `model.layers.0.${one}.weight`),
    ));
  it("GPT-2's Conv1D, not its tied head", async () =>
    assert.deepEqual(
      await namesIn("gpt2"),
      ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"].map((one) => `transformer.h.0.${one}.weight`),
    ));
  it("Falcon's", async () => assert.equal((await namesIn("falcon")).length, 4));
  it("not T5's wo", async () => {
    const names = await namesIn("t5");
    assert.ok(names.length > 8 && names.every((name) => !/\.wo\.|shared|lm_head|relative/.test(name)), names.join());
  });
  it("less with skipModules, only some with targetModules", async () => {
    const all = await namesIn("llama");
    const without = await namesIn("llama", { skipModules: ["down_proj", "model.layers.0.self_attn.q_proj"] });
    assert.deepEqual(without, all.filter((name) => !/down_proj|q_proj/.test(name)));
    assert.deepEqual(await namesIn("llama", { skipModules: ["mlp"] }), all.filter((name) => !/mlp/.test(name)));
    assert.deepEqual(await namesIn("llama", { targetModules: ["v_proj"] }), all.filter((name) => /v_proj/.test(name)));
  });
});

describe("a run over nf4", () => {
  it("goes on as it would have, saves an adapter as without it, and writes its accelerators down", async () => {
    const spec = over(tinySpec({ adapter: { use: "lora", with: { r: 2 } }, training: { maxSteps: 6, saveSteps: 3 } }), {
      accelerators: ["nf4"],
    });
    const host = hostWith(plain, tinyFiles());
    const [whole, cut] = [await memory().open(host), await memory().open(host)];
    const all = await numbersOf(spec, host, whole);
    for (const [key, bytes] of Object.entries(await filesOf(whole, ""))) {
      if (!key.includes("step-6") && key.startsWith("checkpoints/")) await cut.put(key, bytes);
    }
    const rest = await numbersOf(spec, host, cut, true);
    assert.deepEqual(rest, all.slice(-rest.length));
    assert.deepEqual(await filesOf(cut, "adapter/"), await filesOf(whole, "adapter/"));
    const saved = JSON.parse(new TextDecoder().decode((await whole.get("spec.json"))?.bytes));
    assert.deepEqual(saved.accelerators, [{
      use: "nf4",
      with: { blockSize: 64, computeDtype: "float32", skipModules: [], useDoubleQuant: false },
    }]);
  });
});

describe("wrong accelerators", () => {
  const spec = (accelerators: Json, adapter: Json = "lora"): Parameters<typeof numbersOf>[0] =>
    over(tinySpec({ adapter }), { accelerators });
  const wrong = (accelerators: Json, pattern: RegExp, adapter: Json = "lora") =>
    assert.throws(() => compose(spec(accelerators, adapter), catalog), pattern);
  it("are refused by what is wrong with them", () => {
    wrong(["nf4"], /accelerators\.0: "nf4" is not supported: .*without an adapter/, []);
    wrong(["nf4", "fp4"], /accelerators\.1: expected other targetModules than "nf4" of accelerators\.0/);
    wrong([{ use: "nf4", with: { blockSize: 48 } }], /accelerators\.0\.with\.blockSize/);
    wrong([{ use: "nf4", with: { bnb4bitUseDoubleQuant: true } }], /belongs in accelerators\.\*\.with\.useDoubleQuant/);
    wrong([{ use: "nf4", with: { bnb_4bit_compute_dtype: "x" } }], /belongs in accelerators\.\*\.with\.computeDtype/);
    wrong(["nf5"], /accelerators\.0: unknown accelerator "nf5", did you mean "nf4"\?/);
  });
  it("that name modules that are not there are refused, and so are those with nothing to do", async () => {
    const host = hostWith(plain, tinyFiles());
    const rejects = (accelerators: Json, pattern: RegExp) =>
      assert.rejects(numbersOf(spec(accelerators), host), pattern);
    await rejects(
      [{ use: "nf4", with: { skipModules: ["qeury"] } }],
      /skipModules\.0: "qeury" matches no linear layer, did you mean "query"/,
    );
    await rejects(
      [{ use: "nf4", with: { targetModules: ["classifier"] } }],
      /accelerators\.0: expected weights to quantize/,
    );
    await rejects(
      [{ use: "nf4", with: { targetModules: ["query", "key"] } }, { use: "fp4", with: { targetModules: ["key"] } }],
      /accelerators\.1: expected weights to quantize \(no frozen linear layer/,
    );
  });
});

/**
 * Files that lack what is wanted, have what nobody reads, or are not what they seem: errors that name it, before anything is
 * computed with random numbers.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { plainKey } from "../../../formats/peft/keys.ts";
import { compose } from "../../../core/spec/compose.ts";
import { openAdapterPool } from "../../../core/inference/adapter_pool.ts";
import { listNewParts } from "../../../core/run/open/new_parts.ts";
import { evaluateRun } from "../../../core/run/evaluate/evaluate.ts";
import { predictRows } from "../../../core/run/evaluate/infer.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import { openSafetensors, readSafetensors, writeSafetensors } from "../../../core/files/safetensors.ts";
import { refuseQuantized } from "../../../formats/packed/method.ts";
import { f32, type Tensor } from "../../../core/base/tensor.ts";
import type { Host, Json, Named, RunSpec, Store } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { placed } from "../../conformance/families.ts";
import { heldStore, tinyHost, tinyRows, tinySpec, tinyWeights } from "../../tiny.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";
import { collect } from "../../../core/base/collect.ts";

const here = await hostHere(1);
const numbers = (dims: readonly number[], seed: number): Tensor<Float32Array> =>
  f32(dims, Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i + seed) / 4));
const head: Named<Tensor> = {
  "bert.pooler.dense.weight": numbers([16, 16], 1),
  "bert.pooler.dense.bias": numbers([16], 2),
  "classifier.weight": numbers([2, 16], 3),
  "classifier.bias": numbers([2], 4),
};
const whole: Named<Tensor> = { ...tinyWeights(), ...head };
const without = (...names: string[]): Named<Tensor> =>
  Object.fromEntries(Object.entries(whole).filter(([name]) => !names.some((lost) => name.startsWith(lost))));
const hostWith = (tensors: Named<Tensor>): Host => tinyHost(here, { "model.safetensors": writeSafetensors(tensors) });
const opened = (host: Host, adapter: Json = [], model: Named<Json> = {}, task?: Named<Json>) => {
  const spec = tinySpec({ adapter, ...(task ? { task } : {}) });
  const source = { use: "pretrained", with: { ...(spec.model as { with: object }).with, ...model } };
  return openRun(compose({ ...spec, model: source } as unknown as RunSpec, catalog), host);
};

describe("a checkpoint", () => {
  const lost: readonly (readonly [what: string, names: string[], message: RegExp])[] = [
    ["a layer", ["bert.encoder.layer.1."], /layer\.1\..*are missing/],
    [
      "a norm's bias",
      ["bert.encoder.layer.0.output.LayerNorm.bias"],
      /"bert\.encoder\.layer\.0\.output\.LayerNorm\.bias" is missing/,
    ],
    ["half of a head's module", ["classifier.bias"], /"classifier\.bias" is missing/],
    ["what stands before a head's output", ["bert.pooler."], /pooler\.dense\.weight.*are missing/],
  ];
  for (const [what, names, message] of lost) {
    it(`without ${what} is not opened`, () => assert.rejects(opened(hostWith(without(...names))), message));
  }

  it("without what stands before a head's output says that an adapter leaves it as drawn", async () => {
    const host = hostWith(without("bert.pooler.", "classifier."));
    const messages = async (modulesToSave: readonly string[]): Promise<string> => {
      const spec = tinySpec({ adapter: { use: "lora", with: { modulesToSave } }, training: { maxSteps: 1 } });
      const output = await memory().open(host);
      const messages: string[] = [];
      for await (const e of trainRun(compose(spec as unknown as RunSpec, catalog), host, { output })) {
        if (e.type === "warning" && e.code === "NEW_PARAMETERS") messages.push(e.message);
      }
      return messages.join("\n");
    };
    const advice = /leaves "bert\.pooler\.dense" as drawn: modulesToSave would train it/;
    assert.match(await messages([]), advice);
    assert.doesNotMatch(await messages(["pooler"]), advice);
  });

  it("without a head is trained, which is said, and not evaluated", async () => {
    const host = hostWith(without("classifier."));
    const open = await opened(host);
    assert.deepEqual(listNewParts(open), ["classifier.weight", "classifier.bias"]);
    const rows = open.run.data.eval as never;
    await assert.rejects(evaluateRun(open, rows), /classifier\.weight.*the head is new/);
    await assert.rejects(async () => {
      for await (const _ of predictRows(open, rows)) assert.fail("answered");
    }, /classifier\.weight/);
    assert.ok((await evaluateRun(open, rows, { untrained: true })).loss);
    const events = await collect(trainRun(open.run, host, {}));
    assert.ok(events.some((e) => e.type === "warning" && e.code === "NEW_PARAMETERS" && /classifier/.test(e.message)));
    assert.equal((await evaluateRun(await opened(hostWith(whole)), rows)).loss !== undefined, true);
  });

  it("with a head of other classes names the option that starts it anew, which leaves all else", async () => {
    const three = { labels: ["bad", "good", "fair"] };
    const host = hostWith(whole);
    const rows = (await opened(host)).run.data.eval as never;
    await assert.rejects(
      evaluateRun(await opened(host, [], {}, three), rows),
      /classifier\.weight.*ignoreMismatchedSizes/,
    );
    const open = await opened(host, [], { ignoreMismatchedSizes: true }, three);
    assert.deepEqual(listNewParts(open), ["classifier.weight", "classifier.bias"]);
  });

  it("of float64 is what its numbers are", async () => {
    const doubled = Object.fromEntries(
      Object.entries(whole).map(([name, { dims, data }]) => [name, {
        dtype: "float64" as const,
        dims,
        data: Float64Array.from(data as Float32Array),
      }]),
    );
    const [a, b] = await Promise.all([whole, doubled].map(async (tensors) => {
      const open = await opened(hostWith(tensors));
      return (await evaluateRun(open, open.run.data.eval as never)).loss;
    }));
    assert.equal(a, b);
  });
});

describe("a saved adapter", () => {
  const keys = [0, 1].flatMap((layer) =>
    ["query", "value"].flatMap((part) =>
      ["A", "B"].map((factor) =>
        `base_model.model.bert.encoder.layer.${layer}.attention.self.${part}.lora_${factor}.weight`
      )
    )
  );
  const tensors = Object.fromEntries(
    keys.map((key, i) => [key, numbers(key.includes("lora_A") ? [2, 16] : [16, 2], i)]),
  );
  const config = { peft_type: "LORA", r: 2, lora_alpha: 4, target_modules: ["query", "value"] };
  const saved = async (own: Named<Tensor>, more: Named<Json> = {}): Promise<Host> => {
    const store = await memory().open(here);
    await store.put("adapter_config.json", jsonBytes({ ...config, ...more }));
    await store.put("adapter_model.safetensors", writeSafetensors(own));
    return placed(hostWith(whole), "tiny:adapter", store, "");
  };
  const from: Json = [{ use: "lora", with: { from: "tiny:adapter" } }];
  const lossOf = async (host: Host): Promise<number | undefined> => {
    const open = await opened(host, from);
    return (await evaluateRun(open, open.run.data.eval as never)).loss;
  };
  const renamed = (way: (key: string) => string | undefined): Named<Tensor> =>
    Object.fromEntries(
      Object.entries(tensors).flatMap(([key, value]) => {
        const path = way(key);
        return path === undefined ? [] : [[path, value]];
      }),
    );

  it("of a PEFT model's own state, or of a compiled model, is the adapter", async () => {
    const wanted = await lossOf(await saved(tensors));
    assert.notEqual(
      wanted,
      (await evaluateRun(await opened(hostWith(whole)), (await opened(hostWith(whole))).run.data.eval as never)).loss,
    );
    assert.equal(await lossOf(await saved(renamed((key) => key.replace(".weight", ".default.weight")))), wanted);
    assert.equal(
      await lossOf(await saved(renamed((key) => key.replace("model.bert", "model._orig_mod.bert")))),
      wanted,
    );
    assert.equal(plainKey("a.lora_magnitude_vector.default.weight"), "a.lora_magnitude_vector");
    assert.equal(
      plainKey("base_model.model.classifier.modules_to_save.default.bias"),
      "base_model.model.classifier.bias",
    );
  });

  it("may leave whole modules as the base has them", async () => {
    const part = renamed((key) => (key.includes("layer.1") ? undefined : key));
    assert.ok(Number.isFinite(await lossOf(await saved(part))));
  });

  const wrong: readonly (readonly [what: string, own: Named<Tensor>, message: RegExp])[] = [
    [
      "of more layers",
      renamed((key) => key.replace("layer.1.", "layer.7.")),
      /has "bert\.encoder\.layer\.7\..*does not have/,
    ],
    [
      "without half of its factors",
      renamed((key) => (key.includes("layer.1") && key.includes("lora_B") ? undefined : key)),
      /lacks "bert\.encoder\.layer\.1\..*lora_B/,
    ],
    ["of other modules than its config names", renamed((key) => key.replace("query", "key")), /self\.key\.lora_A/],
    [
      "of a model within another",
      renamed((key) => key.replace("model.bert", "model.language_model.bert")),
      /language_model/,
    ],
    [
      "that says one thing twice",
      { ...tensors, ...renamed((key) => key.replace(".weight", ".default.weight")) },
      /mean the same tensor/,
    ],
  ];
  for (const [what, own, message] of wrong) {
    it(`${what} is refused, alone and in a set`, async () => {
      const host = await saved(own);
      await assert.rejects(opened(host, from), message);
      const set = await openAdapterPool((await opened(hostWith(whole))).run, host);
      await assert.rejects(set.add("a", { use: "lora", with: { from: "tiny:adapter" } }), message);
      await set.close();
    });
  }

  it("says in its config how it began, which changes nothing; what is unknown is told", async () => {
    const wanted = await lossOf(await saved(tensors));
    const began: Named<Json> = {
      init_lora_weights: "eva",
      eva_config: { rho: 2 },
      corda_config: { x: 1 },
      loftq_config: { loftq_bits: 4 },
    };
    assert.equal(await lossOf(await saved(tensors, began)), wanted);
    const warnings: string[] = [];
    const terminal = { write: (text: string) => void warnings.push(text), isTerminal: false, columns: 80 };
    assert.equal(await lossOf({ ...await saved(tensors, { next_years_option: { level: 3 } }), terminal }), wanted);
    assert.match(warnings.join(""), /Warning.*"next_years_option"/);
    await assert.rejects(lossOf(await saved(tensors, { use_qalora: true })), /lora_A.*dims/);
    await assert.rejects(lossOf(await saved(tensors, { alora_invocation_tokens: [1] })), /alora_invocation_tokens/);
  });
});

describe("codes of other libraries", () => {
  const configs: readonly (readonly [Json, RegExp])[] = [
    [{ quantization_config: { quant_method: "gptq", bits: 4 } }, /gptq \(4 bits\)/],
    [{ quantization_config: { quant_method: "bitsandbytes", load_in_4bit: true } }, /bitsandbytes \(4 bits\)/],
    [{ quantization_config: { load_in_8bit: true } }, /bitsandbytes \(8 bits\)/],
    [{ quantization_config: { quant_method: "fbgemm_fp8" } }, /fbgemm_fp8/],
    [{ compression_config: { format: "pack-quantized" } }, /compressed-tensors/],
    [{ quantization: { group_size: 64, bits: 4 } }, /mlx/],
    [{ quantization_config: { bits: 3 } }, /does not name/],
  ];
  for (const [config, message] of configs) {
    it(
      JSON.stringify(config),
      () => assert.throws(() => refuseQuantized("pretrained", "model", config as Named<Json>), message),
    );
  }
  for (
    const name of [
      "a.SCB",
      "a.weight.absmax",
      "a.weight.quant_state.bitsandbytes__nf4",
      "a.g_idx",
      "a.qweight",
      "a.weight_packed",
      "a.W_q",
    ]
  ) {
    it(`tensor ${name}`, () =>
      assert.throws(() => refuseQuantized("pretrained", "model", {}, ["b.weight", name]), { code: "BAD_FILE" }));
  }
  it("are not our own integers with scales, or a config of null", () =>
    refuseQuantized("pretrained", "model", { quantization_config: null }, ["a.weight", "a.weight.scale"]));
});

describe("a pointer of Git LFS", () => {
  const pointer = new TextEncoder().encode(
    `version https://git-lfs.github.com/spec/v1\noid sha256:${"7".repeat(64)}\nsize 7507984\n`,
  );
  it("in place of weights, config and tokenizer is named", async () => {
    for (const file of ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"]) {
      await assert.rejects(opened(tinyHost(here, { [file]: pointer })), /Git LFS pointer.*git lfs pull/, file);
    }
    const store = heldStore({ "adapter_model.safetensors": pointer });
    await assert.rejects(openSafetensors(store, "adapter_model.safetensors"), /git lfs pull/);
    assert.throws(() => readSafetensors(pointer, "x"), /git lfs pull/);
  });
  it("in place of rows is named", async () => {
    const store: Store = heldStore({
      "rows.jsonl": pointer,
      "rows.csv": pointer,
      "rows.json": pointer,
      "rows.parquet": pointer,
    });
    const host: Host = { ...here, directory: () => store, resolve: (path) => path };
    for (const use of ["jsonl", "csv", "json", "parquet"]) {
      const parsed = (catalog.data as Named<{ parse(o: object): { value?: { open(h: Host): Promise<unknown> } } }>)[use]
        ?.parse({ path: `rows.${use}` });
      await assert.rejects(async () => await parsed?.value?.open(host), /Git LFS pointer/, use);
    }
  });
});

describe("tokens that are added", () => {
  it("have ids behind all others and rows that are means, in what is written too", async () => {
    const host = hostWith(whole);
    const spec = {
      ...tinySpec({ adapter: [{ use: "lora", with: { r: 2 } }] }),
      task: "masked-lm",
      tokenizer: { use: "hf", with: { addTokens: ["zebra", "good", { content: "<x>", special: true }] } },
      data: { train: { use: "memory", with: { rows: tinyRows } } },
    };
    const run = compose(spec as unknown as RunSpec, catalog);
    const open = await openRun(run, host);
    const before = 28;
    assert.deepEqual([...open.tokenizer.encode("the zebra <x>", { addSpecialTokens: false })[0].ids], [
      5,
      before,
      before + 1,
    ]);
    const name = "bert.embeddings.word_embeddings.weight";
    const table = await open.checkpoint.weights.read(name);
    const old = (whole[name] as Tensor<Float32Array>).data;
    assert.deepEqual(table.dims, [before + 2, 16]);
    for (let j = 0; j < 16; j++) {
      let mean = 0;
      for (let i = 0; i < before; i++) mean += (old[i * 16 + j] ?? 0) / before;
      for (const row of [before, before + 1]) assert.ok(Math.abs((table.data[row * 16 + j] ?? NaN) - mean) < 1e-7);
    }
    const output = await memory().open(host);
    for await (const _ of trainRun(run, host, { output }));
    const adapter = await openSafetensors(output, "adapter/adapter_model.safetensors");
    assert.deepEqual(adapter.locate(`base_model.model.${name}`).dims, [before + 2, 16]);
    await assert.rejects(
      opened(placed(host, "tiny:saved", output, "adapter/"), [{ use: "lora", with: { from: "tiny:saved" } }]).then((
        module,
      ) => evaluateRun(module, module.run.data.eval as never)),
      /word_embeddings/,
    );
  });
});

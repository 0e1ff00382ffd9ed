import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { evaluateRun } from "../../../core/run/evaluate/evaluate.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { planRun } from "../../../core/run/plan/plan.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import { writeSafetensors } from "../../../core/files/safetensors.ts";
import { usableFormat } from "../../../core/engine/format_check.ts";
import { createRandom } from "../../../core/math/random.ts";
import { toSessionBlocks } from "../../../formats/packed/session_blocks.ts";
import { decodeLinear, type LinearCodes } from "../../../formats/quantization/linear_codes.ts";
import type { Checkpoint, Dataset, Json, LinearWeight, Named, RunSpec, Tensor } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { openModel } from "../../../plugins/models/pretrained/open_model.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { sharedPath, SKIP_REASON } from "../../shared.ts";
import { heldStore, tinyHost, tinySpec } from "../../tiny.ts";
import { wrongLayers } from "../../parity/quantized.ts";
import { packedFigures, packedFiles, type PackedLayers, packedTensors } from "./packed.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";

async function opened(config: Json, tensors: Named<Tensor>): Promise<Checkpoint> {
  const files = {
    "config.json": jsonBytes({ model_type: "bert", quantization_config: config }),
    "model.safetensors": writeSafetensors(tensors),
  };
  return await openModel("pretrained", heldStore(files), "packed");
}

function digest({ data }: Tensor<Float32Array>): string {
  return createHash("sha256").update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)).digest("hex");
}

/** Layers of a fixture; a name that is not there is a mistake of this file. */
function figuresOf(name: string): PackedLayers {
  const figure = packedFigures[name];
  if (!figure) throw new Error(`No fixture ${name}`);
  return figure;
}

describe("what a library packed is decoded to the bit", () => {
  for (const [name, packed] of Object.entries(packedFigures)) {
    it(name, async () => {
      const { weights, quantization } = await opened(packed.config, packedTensors(packed));
      assert.deepEqual(
        [...weights.names].sort(),
        Object.keys(packed.layers).map((module) => `${module}.weight`).sort(),
      );
      assert.deepEqual([...quantization?.weights ?? []].sort(), [...weights.names].sort());
      assert.equal(quantization?.method.split(" ")[0], packed.config.quant_method);
      for (const [module, { dims, sha256, first }] of Object.entries(packed.layers)) {
        const tensor = await weights.read(`${module}.weight`);
        assert.deepEqual(tensor.dims, dims);
        assert.deepEqual(weights.locate(`${module}.weight`)?.dims, dims);
        assert.deepEqual([...tensor.data.subarray(0, 4)], first);
        assert.equal(digest(tensor), sha256);
      }
    });
  }

  const root = sharedPath("reference/quantized/checkpoints");
  for (const folder of root ? readdirSync(root) : ["checkpoints of the reference"]) {
    it(folder, { skip: root ? false : SKIP_REASON }, async () => {
      assert.deepEqual(await wrongLayers(join(root ?? "", folder)), []);
    });
  }
});

describe("what cannot be read is refused by its method's name", () => {
  const gptq = figuresOf("gptq 4");
  const awq = figuresOf("awq");
  const compressed = figuresOf("compressed 4");
  const hqq = figuresOf("hqq 4");
  const group = (change: Named<Json>, weights: Named<Json> = {}): Json => ({
    ...compressed.config,
    config_groups: {
      group_0: {
        targets: ["Linear"],
        weights: { num_bits: 4, strategy: "group", group_size: 16, ...weights },
        ...change,
      },
    },
  });
  const cases: readonly (readonly [what: string, of: PackedLayers, config: Json, message: RegExp])[] = [
    ["gptq marlin", gptq, { ...gptq.config, checkpoint_format: "marlin" }, /checkpoint_format.*gptq.*marlin.*gptq_v2/],
    ["gptq marlin, by its older name", gptq, { ...gptq.config, is_marlin_format: true }, /marlin/],
    ["gptq of 5 bits", gptq, { ...gptq.config, bits: 5 }, /quantization_config\.bits.*2, 3, 4 or 8.*5/],
    ["gptq of several layouts", gptq, { ...gptq.config, dynamic: { "-:lm_head": {} } }, /dynamic.*gptq/],
    ["awq gemv", awq, { ...awq.config, version: "gemv" }, /version.*awq.*gemv.*gemm/],
    ["awq marlin", awq, { ...awq.config, version: "marlin" }, /awq.*marlin/],
    ["awq of 8 bits", awq, { ...awq.config, bits: 8 }, /bits.*4 for awq.*8/],
    ["nvfp4", compressed, { ...compressed.config, format: "nvfp4-pack-quantized" }, /compressed-tensors.*nvfp4/],
    [
      "int-quantized",
      compressed,
      { ...compressed.config, format: "int-quantized" },
      /compressed-tensors.*int-quantized/,
    ],
    ["quantized activations", compressed, group({ input_activations: { num_bits: 8 } }), /input_activations/],
    ["blocks", compressed, group({}, { strategy: "block" }), /strategy.*block/],
    ["float codes", compressed, group({}, { type: "float" }), /float/],
    ["fp8", gptq, { quant_method: "fp8" }, /fp8/],
    ["mxfp4", gptq, { quant_method: "mxfp4" }, /mxfp4/],
    ["quanto", gptq, { quant_method: "quanto", bits: 4 }, /quanto \(4 bits\)/],
  ];
  for (const [what, packed, config, message] of cases) {
    it(what, () => assert.rejects(opened(config, packedTensors(packed)), message));
  }

  it("hqq with quantized scales", async () => {
    const tensors = { ...packedTensors(hqq) };
    for (const name of Object.keys(tensors).filter((name) => name.endsWith(".quant_scale"))) {
      tensors[name] = { dtype: "uint8", dims: [], data: Uint8Array.of(1) };
    }
    await assert.rejects(opened(hqq.config, tensors), /hqq with quantized scales.*quant_scale/);
  });

  it("mlx, and codes whose layout no config says", async () => {
    const files = (config: Named<Json>, tensors: Named<Tensor>) => ({
      "config.json": jsonBytes({ model_type: "bert", ...config }),
      "model.safetensors": writeSafetensors(tensors),
    });
    const of = (own: Named<Uint8Array>): Promise<Checkpoint> => openModel("pretrained", heldStore(own), "packed");
    await assert.rejects(of(files({ quantization: { bits: 4 } }, packedTensors(gptq))), /mlx/);
    await assert.rejects(of(files({}, packedTensors(awq))), /qweight.*awq.*no quantization_config/);
    await assert.rejects(of(files({}, packedTensors(gptq))), /g_idx.*gptq.*no quantization_config/);
    // These say it of themselves.
    for (const name of ["bnb nf4 double", "bnb int8"]) {
      assert.ok((await of(files({}, packedTensors(figuresOf(name))))).quantization, name);
    }
  });

  it("a config that speaks of codes where there are none", async () => {
    const plain: Tensor = { dtype: "float32", dims: [1, 1], data: Float32Array.of(1) };
    await assert.rejects(opened(gptq.config, { "a.weight": plain }), /gptq \(4 bits\), but none of them is/);
  });
});

describe("what contradicts itself is named", () => {
  const [module = ""] = Object.keys(figuresOf("gptq 4").layers);
  const changed = (
    name: string,
    change: (tensors: Record<string, Tensor>) => void,
    config?: Json,
  ): Promise<Checkpoint> => {
    const packed = figuresOf(name);
    const tensors = { ...packedTensors(packed) };
    change(tensors);
    return opened(config ?? packed.config, tensors);
  };
  const state = (value: Json | string) => (tensors: Record<string, Tensor>): void => {
    const name = Object.keys(tensors).find((own) => own.includes("quant_state")) ?? "";
    const data = typeof value === "string" ? new TextEncoder().encode(value) : jsonBytes(value);
    tensors[name] = { dtype: "uint8", dims: [data.length], data };
  };
  const words = (dims: readonly number[], fill = 0): Tensor => ({
    dtype: "int32",
    dims,
    data: new Int32Array(dims.reduce((a, b) => a * b, 1)).fill(fill),
  });
  const cases: readonly (readonly [string, string, (tensors: Record<string, Tensor>) => void, RegExp])[] = [
    ["scales are lost", "gptq 4", (t) => delete t[`${module}.scales`], /lacks tensor.*scales/],
    ["codes are lost", "gptq 4", (t) => delete t[`${module}.qweight`], /gptq \(4 bits\) without the codes/],
    [
      "too few codes",
      "gptq 4",
      (t) => void (t[`${module}.qweight`] = words([1, 32])),
      /1 rows in.*32 inputs of 4 bits/,
    ],
    ["zero points of others", "gptq 4", (t) => void (t[`${module}.qzeros`] = words([7, 4])), /qzeros.*\[7,4\]/],
    ["a weight is there twice", "awq", (t) => {
      const [own = ""] = Object.keys(figuresOf("awq").layers);
      t[`${own}.weight`] = { dtype: "float32", dims: [32, 16], data: new Float32Array(512) };
    }, /twice, as floats and as codes/],
    ["block maxima are lost", "bnb nf4", (t) => {
      const name = Object.keys(t).find((own) => own.endsWith(".absmax")) ?? "";
      delete t[name];
    }, /lacks tensor.*absmax/],
    ["no JSON", "bnb nf4", state("{"), /quant_state.*not JSON/],
    ["no blocks", "bnb nf4", state({ blocksize: 0, shape: [16, 16] }), /blocksize 0.*whole number/],
    ["blocks without end", "bnb nf4", state({ blocksize: 64, shape: [1e9, 1e9] }), /bytes in tensor.*takes/],
    ["no shape", "bnb nf4", state({ blocksize: 64, shape: [16] }), /shape \[16\].*\[out, in\]/],
    ["another shape", "bnb nf4", state({ blocksize: 64, shape: [32, 34] }), /512 bytes in tensor.*takes 544/],
    [
      "an offset that is none",
      "bnb nf4 double",
      state({
        blocksize: 64,
        shape: [16, 16],
        nested_blocksize: 256,
        nested_offset: null,
      }),
      /nested_offset null/,
    ],
    ["another size", "compressed 4", (t) => {
      const name = Object.keys(t).find((own) => own.endsWith("weight_shape")) ?? "";
      t[name] = { dtype: "int64", dims: [2], data: BigInt64Array.of(16n, 1600n) };
    }, /weight_packed.*\[32,4\].*\[16,200\]/],
    ["groups of others", "hqq 4", (t) => {
      const name = Object.keys(t).find((own) => own.endsWith(".scale")) ?? "";
      t[name] = { dtype: "float32", dims: [3, 1], data: new Float32Array(3) };
    }, /scale.*\[3,1\].*64 values/],
  ];
  for (const [what, name, change, message] of cases) {
    it(what, () => assert.rejects(changed(name, change), message));
  }

  it("groups that there are not, and scales that are no numbers when they are read", async () => {
    for (const g of [-1, 2, 2 ** 31 - 1]) {
      const own = changed("gptq 4", (t) => void (t[`${module}.g_idx`] = words([32], g)));
      await assert.rejects(own, new RegExp(`names group ${g} .*g_idx.*, of 2`));
    }
    const nan: Tensor = { dtype: "float16", dims: [2, 32], data: new Uint16Array(64).fill(0x7e00) };
    const { weights } = await changed("gptq 4", (t) => void (t[`${module}.scales`] = nan));
    await assert.rejects(weights.read(`${module}.weight`), /scales.*not finite/);
  });
});

describe("sessions keep codes as they are", () => {
  /** Those that no product over blocks can hold. */
  const decoded = /hqq 4, axis 0|across rows|hqq 3, axis 0|in order of activations|compressed 3/;
  for (const [name, packed] of Object.entries(packedFigures)) {
    it(`${name}: ${decoded.test(name) ? "decoded at once" : "products of the decoded values, in fewer bytes"}`, async () => {
      const { weights } = await opened(packed.config, packedTensors(packed));
      for (const module of Object.keys(packed.layers)) {
        const weight = `${module}.weight`;
        const format = weights.formatOf?.(weight);
        const encoded = await weights.encoded?.(weight);
        assert.equal(encoded?.format.label, format?.label);
        if (decoded.test(name)) {
          assert.equal(format, undefined);
          continue;
        }
        if (!format || !encoded) throw new Error(`${name} is not kept`);
        const { dims, data } = await weights.read(weight);
        const [outputs = 0, inputs = 0] = dims;
        assert.deepEqual(format.decode(encoded.tensors, [outputs, inputs]), data);
        const bytes = Object.values(encoded.tensors).reduce((sum, tensor) => sum + tensor.data.byteLength, 0);
        assert.equal(format.bytes([outputs, inputs]), bytes);
        assert.ok(bytes < data.byteLength / 2, `${bytes} of ${data.byteLength}`);
        const linear: LinearWeight = { name: weight, module, dims: [outputs, inputs], conv1d: false };
        // What it gives back has lost its products where those are wrong.
        const usable = await usableFormat(await hostHere(1), format, () => ({ weight: linear, ...encoded }));
        assert.equal(typeof usable.writeProduct, typeof format.writeProduct);
      }
    });
  }

  it("groups in an order of their own are blocks of inputs in that order", async () => {
    const [outputs, inputs] = [4, 48] as const;
    const groups = Int32Array.from({ length: inputs }, (_, i) => (i * 7) % 3);
    const random = createRandom(5);
    const codes: LinearCodes = {
      bits: 3,
      codes: Uint8Array.from({ length: outputs * inputs }, (_, i) => random.bits(i) % 8),
      scales: Float32Array.from({ length: outputs * 3 }, (_, i) => 1 + i),
      zeros: Float32Array.from({ length: outputs * 3 }, (_, i) => i / 4),
      groups,
    };
    const layout = { bits: 3, groups, groupCount: 3, hasZeros: true };
    const blocks = toSessionBlocks(layout, [outputs, inputs], () => Promise.resolve(codes));
    if (!blocks) throw new Error("It is not kept");
    const tensors = await blocks.tensors();
    assert.equal(blocks.format.label, "int4, block 16, zero points, inputs in order");
    assert.deepEqual(blocks.format.decode(tensors, [outputs, inputs]), decodeLinear(codes, [outputs, inputs]));
    const weight: LinearWeight = { name: "w", module: "w", dims: [outputs, inputs], conv1d: false };
    const sample = { weight, format: blocks.format, tensors };
    assert.ok((await usableFormat(await hostHere(1), blocks.format, () => sample)).writeProduct);
  });
});

describe("a quantized base trains below an adapter", () => {
  const lora = { use: "lora", with: { r: 2, targetModules: ["query", "intermediate.dense"] } };
  const lossesOf = async (files: Named<Uint8Array>): Promise<readonly number[]> => {
    const losses: number[] = [];
    const host = tinyHost(await hostHere(1), files);
    for await (const event of trainRun(compose(tinySpec({ adapter: lora }) as RunSpec, catalog), host, {})) {
      if (event.type === "step") losses.push(event.loss ?? NaN);
    }
    return losses;
  };
  /** The same model with the values in place of the codes. */
  const decoded = async (packed: PackedLayers): Promise<Named<Uint8Array>> => {
    const files = packedFiles(packed);
    const { weights, config } = await openModel("pretrained", heldStore(files), "packed");
    const tensors: Record<string, Tensor> = {};
    for (const name of weights.names) tensors[name] = await weights.read(name);
    return { ...files, "config.json": jsonBytes(config), "model.safetensors": writeSafetensors(tensors) };
  };
  for (const name of ["bnb nf4 double", "bnb int8", "gptq 4 in order of activations", "awq", "compressed 3", "hqq 4"]) {
    it(`${name}: losses and evaluation of the decoded weights`, async () => {
      const packed = figuresOf(name);
      const plain = await decoded(packed);
      const near = (actual: readonly number[], wanted: readonly number[]): void => {
        assert.equal(actual.length, wanted.length);
        wanted.forEach((x, i) =>
          assert.ok(Math.abs((actual[i] ?? NaN) - x) <= 1e-5 * Math.max(1, Math.abs(x)), `${actual[i]} for ${x}`)
        );
      };
      near(await lossesOf(packedFiles(packed)), await lossesOf(plain));
      const evaluated = async (files: Named<Uint8Array>): Promise<Named<number>> => {
        const open = await openRun(compose(tinySpec() as RunSpec, catalog), tinyHost(await hostHere(1), files));
        return await evaluateRun(open, open.data.eval as Dataset);
      };
      near(Object.values(await evaluated(packedFiles(packed))), Object.values(await evaluated(plain)));
    });
  }

  it("training it whole is refused by name, before a row is read, and planned neither", async () => {
    const host = tinyHost(await hostHere(1), packedFiles(figuresOf("gptq 4")));
    const message = /\.weight.*tiny:model.*gptq \(4 bits\)/;
    const whole = compose(tinySpec() as RunSpec, catalog);
    await assert.rejects(async () => {
      for await (const _ of trainRun(whole, host, {}));
    }, message);
    await assert.rejects(planRun(whole, host), message);
    const saves = {
      use: "lora",
      with: { r: 2, targetModules: ["query"], modulesToSave: ["intermediate.dense", "classifier"] },
    };
    await assert.rejects(planRun(compose(tinySpec({ adapter: saves }) as RunSpec, catalog), host), message);
  });

  it("a lost tensor of the model is told as ever", async () => {
    const files = packedFiles(figuresOf("gptq 4"), { "bert.encoder.layer.1.output.dense.weight": null });
    const host = tinyHost(await hostHere(1), files);
    await assert.rejects(
      openRun(compose(tinySpec() as RunSpec, catalog), host),
      /layer\.1\.output\.dense\.weight.*missing/,
    );
  });
});

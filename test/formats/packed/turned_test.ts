import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { compose } from "../../../core/spec/compose.ts";
import { evaluateRun } from "../../../core/run/evaluate/evaluate.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { writeSafetensors } from "../../../core/files/safetensors.ts";
import { transposeMatrix } from "../../../core/math/transpose.ts";
import type { Json, Named, RunSpec, Tensor } from "../../../core/types.ts";
import { dequantizeFourBit, fourBitTables, quantizeFourBit } from "../../../formats/quantization/bitsandbytes.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { pretrained } from "../../../plugins/models/pretrained.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { hostWith } from "../../gguf.ts";
import { tinyHost } from "../../tiny.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";

const figures: Readonly<{ ids: readonly (readonly number[])[]; models: readonly { name: string; file: string }[] }> =
  JSON.parse(readFileSync(fileURLToPath(new URL("../../fixtures/gguf_models.json", import.meta.url)), "utf8"));

it("GPT-2's weights, which the model has as [in, out], are packed as [out, in], square ones too", async () => {
  const { file } = figures.models.find(({ name }) => name === "gpt2") as { file: string };
  const path = "/models/model.gguf";
  const source = await pretrained({ path }).open(await hostWith(new Uint8Array(Buffer.from(file, "base64"))));
  const [plain, packed]: [Record<string, Tensor>, Record<string, Tensor>] = [{}, {}];
  for (const name of source.weights.names) {
    const tensor = await source.weights.read(name);
    plain[name] = packed[name] = tensor;
    if (!/c_(attn|proj|fc)\.weight$/.test(name)) continue;
    const [inputs = 0, outputs = 0] = tensor.dims;
    const { codes, absmax } = quantizeFourBit(transposeMatrix(tensor.data, inputs, outputs), "nf4", 32);
    const values = dequantizeFourBit({ codes, absmax }, fourBitTables.nf4, 32, tensor.data.length);
    plain[name] = { dtype: "float32", dims: [inputs, outputs], data: transposeMatrix(values, outputs, inputs) };
    const state = jsonBytes({ quant_type: "nf4", blocksize: 32, dtype: "float32", shape: [outputs, inputs] });
    packed[name] = { dtype: "uint8", dims: [codes.length, 1], data: codes };
    packed[`${name}.absmax`] = { dtype: "float32", dims: [absmax.length], data: absmax };
    packed[`${name}.quant_map`] = { dtype: "float32", dims: [16], data: fourBitTables.nf4 };
    packed[`${name}.quant_state.bitsandbytes__nf4`] = { dtype: "uint8", dims: [state.length], data: state };
  }
  const text = async (name: string): Promise<Uint8Array> => (await source.files.get(name))?.bytes ?? new Uint8Array();
  const tokenizer = {
    "tokenizer.json": await text("tokenizer.json"),
    "tokenizer_config.json": await text("tokenizer_config.json"),
  };
  const lossOf = async (tensors: Named<Tensor>, adapter: Json): Promise<number> => {
    const config = jsonBytes(source.config);
    const host = tinyHost(await hostHere(1), {
      ...tokenizer,
      "config.json": config,
      "model.safetensors": writeSafetensors(tensors),
    });
    const spec = {
      version: 1,
      model: { use: "pretrained", with: { path: "tiny:model" } },
      task: "causal-lm",
      data: {},
      adapter,
    };
    const open = await openRun(compose(spec as unknown as RunSpec, catalog), host);
    const rows = { use: "memory", with: { rows: figures.ids.map((ids) => ({ input_ids: ids })) } };
    return (await evaluateRun(open, open.run.use("data", rows))).loss ?? NaN;
  };
  // Below an adapter weights stay codes; without one they are decoded as they are read.
  for (const adapter of [[], "lora"]) {
    const [loss, wanted] = [await lossOf(packed, adapter), await lossOf(plain, adapter)];
    assert.ok(Math.abs(loss - wanted) <= 1e-5, `${loss} for ${wanted}`);
  }
});

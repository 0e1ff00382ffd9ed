/** What was trained over a quantized base is used over one, and merged into the base as it is stored. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { openAdapterPool } from "../../../core/inference/adapter_pool.ts";
import { describeTrainedModel } from "../../../core/run/write/export.ts";
import { mergedTensors } from "../../../core/run/open/fold.ts";
import { predictRows } from "../../../core/run/evaluate/infer.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import { readSafetensors } from "../../../core/files/safetensors.ts";
import type { Host, Json, Named, Row, RunSpec } from "../../../core/types.ts";
import { dequantizeFourBit, fourBitTables, quantizeFourBit } from "../../../formats/quantization/bitsandbytes.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory as rowsInMemory } from "../../../plugins/data/memory.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { heldStore, tinyFiles, tinyHost, tinyRows, tinySpec } from "../../tiny.ts";
import { filesOf, hostWith, over } from "./bases.ts";
import { allNear } from "../../near.ts";
import { collect } from "../../../core/base/collect.ts";

const host = hostWith(tinyHost(await hostHere(1)), tinyFiles());
const accelerators: Json = [{ use: "nf4", with: { blockSize: 32 } }];
const specOf = (adapter: Json): RunSpec =>
  over(tinySpec({ adapter, training: { maxSteps: 8, learningRate: 0.05 } }), { accelerators });
const rows = tinyRows.slice(0, 6).map(({ text }) => ({ text })) as Row[];

const output = await memory().open(host);
let trained = NaN;
const lora = { use: "lora", with: { r: 2, loraAlpha: 8, targetModules: "all-linear", modulesToSave: ["classifier"] } };
for await (const event of trainRun(compose(specOf(lora), catalog), host, { output })) {
  if (event.type === "evaluate") trained = event.metrics.loss ?? NaN;
}
const adapter = await filesOf(output, "adapter/");
const saved: Host = {
  ...host,
  directory: (path) => (path.endsWith("own:adapter") ? heldStore(adapter) : host.directory?.(path) ?? heldStore({})),
  resolve: (path, base) => (path.endsWith("own:adapter") ? "own:adapter" : host.resolve?.(path, base) ?? path),
};
const from: Json = { use: "lora", with: { from: "own:adapter" } };
const scoresOf = (predictions: readonly Named<Json>[]): readonly number[] =>
  predictions.flatMap(({ scores }) => Object.values(scores as Named<number>));
async function predicted(spec: RunSpec): Promise<readonly number[]> {
  const open = await openRun(compose(spec, catalog), saved);
  const lines = await collect(predictRows(open, rowsInMemory({ rows })));
  return scoresOf(lines);
}

it("a saved adapter predicts over the same codes, and otherwise over the base as it is stored", async () => {
  let again = NaN;
  const spec = { ...specOf(from), training: { maxSteps: 1, learningRate: 0, seed: 3 } } as RunSpec;
  for await (const event of trainRun(compose(spec, catalog), saved, {})) {
    if (event.type === "evaluate") again = event.metrics.loss ?? NaN;
  }
  allNear([again], [trained], 1e-6);
  const [quantized, plain] = [await predicted(specOf(from)), await predicted({ ...specOf(from), accelerators: [] })];
  assert.ok(quantized.some((x, i) => Math.abs(x - (plain[i] ?? NaN)) > 1e-4));
});

it("a server's adapters do, and merged there they give the same", async () => {
  const pool = await openAdapterPool(compose(specOf(from), catalog), saved);
  try {
    await pool.add("own", from as { use: string });
    const lossesWith = async (stack?: string): Promise<readonly number[]> => {
      const all = await collect(pool.predict(rows, stack));
      return scoresOf(all);
    };
    const wanted = await predicted(specOf(from));
    allNear(await lossesWith("own"), wanted, 1e-6);
    await pool.merge("own");
    allNear(await lossesWith(), wanted, 1e-5);
    await pool.unmerge();
    allNear(await lossesWith("own"), wanted, 1e-6);
  } finally {
    await pool.close();
  }
});

it("merging into files folds it into the base as that is stored", async () => {
  const open = await openRun(compose(specOf(from), catalog), saved);
  const { read } = await mergedTensors(await describeTrainedModel(open));
  const name = "bert.encoder.layer.0.attention.self.query.weight";
  const base = readSafetensors(tinyFiles()["model.safetensors"] as Uint8Array, "base")[name];
  const factors = readSafetensors(adapter["adapter_model.safetensors"] as Uint8Array, "adapter");
  const of = (part: string): Float32Array =>
    factors[`base_model.model.${name.replace(/\.weight$/, "")}.lora_${part}.weight`]?.data as Float32Array;
  const [a, b] = [of("A"), of("B")];
  const weight = base?.data as Float32Array;
  const wanted = Float32Array.from(weight, (w, k) => {
    const [o, i] = [Math.floor(k / 16), k % 16];
    return w + 4 * ((b[2 * o] ?? NaN) * (a[i] ?? NaN) + (b[2 * o + 1] ?? NaN) * (a[16 + i] ?? NaN));
  });
  allNear([...(await read(name)).data], [...wanted], 1e-5);
  const decoded = dequantizeFourBit(quantizeFourBit(weight, "nf4", 32), fourBitTables.nf4, 32, weight.length);
  assert.ok(decoded.some((x, i) => Math.abs(x - (weight[i] ?? NaN)) > 1e-3));
});

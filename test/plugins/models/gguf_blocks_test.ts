import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { compose } from "../../../core/spec/compose.ts";
import { usableFormat } from "../../../core/engine/format_check.ts";
import { blockTypes, dequantize } from "../../../core/gguf/blocks.ts";
import { planRun } from "../../../core/run/plan/plan.ts";
import { transposeMatrix } from "../../../core/math/transpose.ts";
import type { Named, RunSpec, Tensor } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { encodeBlocks, formatOfBlocks } from "../../../formats/quantization/gguf_blocks.ts";
import { pretrained } from "../../../plugins/models/pretrained.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { hostWith } from "../../gguf.ts";

/** What test/fixtures/gguf.py and gguf_models.py made with the gguf package. */
const read = (name: string): unknown =>
  JSON.parse(readFileSync(fileURLToPath(new URL(`../../fixtures/${name}.json`, import.meta.url)), "utf8"));
type Model = Readonly<{ name: string; file: string }>;
const { blocks, models: llamas } = read("gguf") as {
  blocks: readonly { type: string; id: number; bytes: string }[];
  models: readonly Model[];
};
const models = [...llamas, ...(read("gguf_models") as { models: readonly Model[] }).models];
const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64, "base64"));

function near(actual: Float32Array, wanted: Float32Array, what: string): void {
  assert.equal(actual.length, wanted.length);
  const most = wanted.reduce((a, x) => Math.max(a, Math.abs(x)), 0);
  wanted.forEach((x, i) =>
    assert.ok(Math.abs(x - (actual[i] ?? NaN)) <= 1e-6 * most, `${what}: ${actual[i]} for ${x}`)
  );
}

describe("sessions keep blocks of GGUF files as they are", () => {
  for (const { type, id, bytes } of blocks) {
    const format = formatOfBlocks(type);
    if (!format) continue;
    it(`${type}: the values, and products of them`, async () => {
      const own = blockTypes.get(id);
      assert.ok(own);
      const stored = bytesOf(bytes);
      const inputs = stored.length / own.bytes * own.values;
      const wanted = new Float32Array(inputs);
      dequantize(own, stored, wanted, 0);
      const tensors: Named<Tensor> = encodeBlocks(type, stored, [1, inputs], (row) => row);
      const values = format.decode(tensors, [1, inputs]);
      // A least value is a zero point here, which is rounded.
      if (type === "Q4_1") near(values, wanted, type);
      else assert.deepEqual(values, wanted);
      const weight = { name: "w", module: "w", dims: [1, inputs] as const, conv1d: false };
      assert.ok((await usableFormat(await hostHere(1), format, () => ({ weight, format, tensors }))).writeProduct);
    });
  }

  it("a block of Q4_1 whose values are all the least has them", () => {
    const stored = new Uint8Array(20);
    new DataView(stored.buffer).setUint16(2, 0x3e00, true);
    const tensors = encodeBlocks("Q4_1", stored, [1, 32], (row) => row);
    assert.deepEqual(formatOfBlocks("Q4_1")?.decode(tensors, [1, 32]), new Float32Array(32).fill(1.5));
  });

  it("weights of every family: the same values, rows in the model's order, turned where the model has them so", async () => {
    let stored = 0;
    for (const { name, file } of models) {
      const { weights } = await pretrained({ path: "/models/model.gguf" }).open(await hostWith(bytesOf(file)));
      for (const own of weights.names) {
        const encoded = await weights.encoded?.(own);
        assert.equal(encoded?.format.label, weights.formatOf?.(own)?.label, own);
        if (!encoded) continue;
        stored++;
        const { dims: [rows = 0, columns = 0], data } = await weights.read(own);
        const [outputs = 0] = encoded.tensors.scales?.dims ?? [];
        const isTurned = outputs !== rows;
        const dims = isTurned ? [columns, rows] as const : [rows, columns] as const;
        const values = encoded.format.decode(encoded.tensors, dims);
        near(values, isTurned ? transposeMatrix(data, rows, columns) : data, `${name}: ${own}`);
      }
    }
    assert.ok(stored > 0);
  });

  it("no quantizer goes over it, and training it whole decodes it", async () => {
    const [{ file }] = llamas as [Model];
    const host = await hostWith(bytesOf(file));
    const spec = (more: object): RunSpec => ({
      version: 1,
      model: { use: "pretrained", with: { path: "/models/model.gguf" } },
      task: "causal-lm",
      data: { train: { use: "memory", with: { rows: [{ text: "a b c d" }] } } },
      training: { maxSteps: 2 },
      ...more,
    } as unknown as RunSpec);
    const over = compose(spec({ adapter: "lora", accelerators: ["nf4"] }), catalog);
    await assert.rejects(planRun(over, host), /accelerators\.0.*no quantizer: .*GGUF \(Q/);
    const plan = await planRun(compose(spec({}), catalog), host);
    assert.equal(plan.trainableParameters, plan.totalParameters);
  });
});

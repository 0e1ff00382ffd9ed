import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { compose } from "../../../core/spec/compose.ts";
import { evaluateRun } from "../../../core/run/evaluate/evaluate.ts";
import { openRun } from "../../../core/run/open/open.ts";
import type { RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { pretrained } from "../../../plugins/models/pretrained.ts";
import { hostWith } from "../../gguf.ts";

/** A tensor's dims, and two sums of its values: plain, and each times its place. */
type Sums = readonly [dims: readonly number[], sum: number, weighted: number];
type Model = Readonly<{
  name: string;
  file: string;
  losses: readonly number[];
  tensors: Readonly<Record<string, Sums>>;
}>;
/** What test/fixtures/gguf_models.py made with the gguf package and transformers. */
const figures: Readonly<{ ids: readonly (readonly number[])[]; models: readonly Model[] }> = JSON.parse(
  readFileSync(fileURLToPath(new URL("../../fixtures/gguf_models.json", import.meta.url)), "utf8"),
);

const path = "/models/model.gguf";

describe("a GGUF file of every architecture is the checkpoint that it was made of", () => {
  for (const { name, file, losses, tensors } of figures.models) {
    const bytes = new Uint8Array(Buffer.from(file, "base64"));
    it(`${name}: tensors`, async () => {
      const { weights } = await pretrained({ path }).open(await hostWith(bytes));
      assert.deepEqual([...weights.names].sort(), Object.keys(tensors).sort());
      for (const [name, [dims, sum, weighted]] of Object.entries(tensors)) {
        const tensor = await weights.read(name);
        assert.deepEqual(tensor.dims, dims, name);
        assert.deepEqual(weights.locate(name)?.dims, dims, name);
        const [plain, placed] = tensor.data.reduce(([a, b], value, i) => [a + value, b + value * i], [0, 0]);
        // Norms with one added have lost their last digits.
        assert.ok(Math.abs(plain - sum) < 1e-5, `${name}: ${plain}, right is ${sum}`);
        assert.ok(Math.abs(placed - weighted) < 1e-3, `${name}: ${placed}, right is ${weighted}`);
      }
    });
    it(`${name}: losses`, async () => {
      const spec = { version: 1, model: { use: "pretrained", with: { path } }, task: "causal-lm", data: {} };
      const open = await openRun(compose(spec as unknown as RunSpec, catalog), await hostWith(bytes));
      for (const [i, wanted] of losses.entries()) {
        const rows = { use: "memory", with: { rows: [{ input_ids: figures.ids[i] ?? [] }] } };
        const loss = (await evaluateRun(open, open.run.use("data", rows))).loss ?? NaN;
        assert.ok(Math.abs(loss - wanted) < 1e-5, `row ${i}: ${loss}, right is ${wanted}`);
      }
    });
  }
});

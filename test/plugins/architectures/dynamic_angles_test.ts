/** Angles that grow with a sequence, and rows beyond the positions of a config: losses are transformers'. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { evaluateRun } from "../../../core/run/evaluate/evaluate.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { writeSafetensors } from "../../../core/files/safetensors.ts";
import { sizeOf, type Tensor } from "../../../core/base/tensor.ts";
import type { Json, Named, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost } from "../../tiny.ts";
import figures from "../../fixtures/dynamic_angles.json" with { type: "json" };

type Case = Readonly<{ config: Named<Json>; tensors: Named<readonly number[]>; ids: number[][]; loss: number }>;

/** The weights that the script beside the figures makes. */
function formula(name: string, dims: readonly number[]): Tensor<Float32Array> {
  const seed = [...name].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) * 0.7;
  const base = name.endsWith("weight") && name.toLowerCase().includes("norm") ? 1 : 0;
  const data = Float32Array.from({ length: sizeOf(dims) }, (_, i) => base + 0.3 * Math.sin(i * 12.9898 + seed));
  return { dtype: "float32", dims, data };
}

for (const { config, tensors, ids, loss } of figures as unknown as readonly Case[]) {
  it(`${config.model_type}, ${ids[0]?.length} tokens of ${config.max_position_embeddings} positions`, async () => {
    const weights = Object.fromEntries(Object.entries(tensors).map(([name, dims]) => [name, formula(name, dims)]));
    const host = tinyHost(await hostHere(1), {
      "config.json": new TextEncoder().encode(JSON.stringify(config)),
      "model.safetensors": writeSafetensors(weights),
    });
    const rows = ids.map((input_ids) => ({ input_ids, labels: input_ids }));
    const run = compose({
      version: 1,
      model: { use: "pretrained", with: { path: "tiny:model" } },
      task: "causal-lm",
      data: { train: { use: "memory", with: { rows } } },
      training: { perDeviceEvalBatchSize: 2, maxLength: 32 },
    } as unknown as RunSpec, catalog);
    const found = (await evaluateRun(await openRun(run, host), run.data.train as never)).loss ?? NaN;
    assert.ok(Math.abs(found - loss) < 1e-5, `${found}, transformers has ${loss}`);
  });
}

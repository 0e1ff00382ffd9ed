/** Angles that grow with a sequence, and rows beyond the positions of a config: losses are transformers'. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { evaluateRun } from "../../../core/run/evaluate/evaluate.ts";
import { openRun } from "../../../core/run/open/open.ts";
import type { Json, Named, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import figures from "../../fixtures/dynamic_angles.json" with { type: "json" };
import { formulaWeights, modelHost } from "../../formula.ts";

type Case = Readonly<{ config: Named<Json>; tensors: Named<readonly number[]>; ids: number[][]; loss: number }>;

for (const { config, tensors, ids, loss } of figures as unknown as readonly Case[]) {
  it(`${config.model_type}, ${ids[0]?.length} tokens of ${config.max_position_embeddings} positions`, async () => {
    const host = await modelHost(config, formulaWeights(tensors));
    const rows = ids.map((input_ids) => ({ input_ids, labels: input_ids }));
    const run = compose({
      version: 1,
      model: { use: "pretrained", with: { path: "tiny:model" } },
      task: "causal-lm",
      data: { train: { use: "memory", with: { rows } } },
      training: { perDeviceEvalBatchSize: 2, maxLength: 32 },
    } as unknown as RunSpec, catalog);
    const evaluated = (await evaluateRun(await openRun(run, host), run.data.train as never)).loss ?? NaN;
    assert.ok(Math.abs(evaluated - loss) < 1e-5, `${evaluated}, transformers has ${loss}`);
  });
}

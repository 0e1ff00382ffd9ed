/** Long rows of causal attention, cut into blocks of queries, give the numbers of rows that are not. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { layOut } from "../../../core/loop/layout.ts";
import { encodeRows } from "../../../core/run/rows/data.ts";
import { allSamples } from "../../../core/run/rows/encoded_rows.ts";
import { createRunEngine } from "../../../core/run/plan/engine.ts";
import { openRun } from "../../../core/run/open/open.ts";
import type { Json, Named, RunSpec } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { families, noDropout, tinyModel } from "../../conformance/families.ts";
import { tinyHost } from "../../tiny.ts";
import { sampled } from "../../sampled.ts";

const ids = (length: number): number[] => Array.from({ length }, (_, i) => 5 + (i * 7 + (i >> 4)) % 22);
const changes: Named<Named<Json>> = {
  llama: {},
  mistral: { sliding_window: 40 },
  gemma2: { attn_logit_softcapping: 2 },
  gpt2: {},
};

describe("blocks of queries", () => {
  for (const [name, change] of sampled(Object.entries(changes))) {
    it(name, async () => {
      const { config = {} } = families[name] ?? {};
      const positions = { max_position_embeddings: 512, n_positions: 512 };
      const spec = {
        version: 1,
        model: tinyModel({ config: { ...config, ...noDropout, ...positions, ...change }, task: "causal-lm" }),
        task: "causal-lm",
        data: { train: { use: "memory", with: { rows: [300, 290, 60].map((n) => ({ input_ids: ids(n) })) } } },
        training: { perDeviceTrainBatchSize: 3 },
      };
      const open = await openRun(compose(spec as unknown as RunSpec, catalog), tinyHost(await hostHere(1)));
      const train = await encodeRows(open, open.run.use("data", spec.data.train), true);
      const all = await allSamples(train);
      // The second batch is so short that all blocks but the first are empty, in memory that the first has used.
      const batches = [all, all.slice(2)].map((samples) => layOut(samples, open.layout));
      const stepOf = async (largest: readonly number[]): Promise<Readonly<{ figures: number[]; cut: boolean }>> => {
        const engine = await createRunEngine(open, { ...train, largest: async () => largest }, undefined);
        const { graph } = engine.program();
        const figures: number[] = [];
        for (const batch of batches) {
          const { loss, gradNorm } = await engine.step([batch], { step: 1, learningRate: 0, maxGradNorm: 0 });
          figures.push(loss, gradNorm);
        }
        await engine.close();
        return {
          figures,
          cut: graph.nodes.some(({ op, inputs }) => op === "Slice" && inputs[0]?.shape[2] === "seq"),
        };
      };
      // An engine for short rows cuts nothing.
      const [whole, cut] = [await stepOf([2]), await stepOf([0, 1, 2])];
      assert.deepEqual([whole.cut, cut.cut], [false, true]);
      cut.figures.forEach((x, i) =>
        assert.ok(Math.abs(x / (whole.figures[i] ?? 0) - 1) < 1e-5, `${x}, ${whole.figures[i]}`)
      );
    });
  }
});

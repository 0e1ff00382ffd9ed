/**
 * Decoder-only models against torch's figures, in the arrangements that their configs allow, and against themselves.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Engine } from "../../../core/engine/engine.ts";
import { layOut } from "../../../core/loop/layout.ts";
import { allSamples } from "../../../core/run/rows/encoded_rows.ts";
import { packRows } from "../../../core/run/rows/pack.ts";
import type { Batch, Json, Named } from "../../../core/types.ts";
import { lm } from "../../../plugins/heads/lm.ts";
import { sequence } from "../../../plugins/heads/sequence.ts";
import { token } from "../../../plugins/heads/token.ts";
import figures from "../../fixtures/decoders.json" with { type: "json" };
import { sampled } from "../../sampled.ts";
import {
  formulaWeights,
  modelHost,
  type OpenModel,
  openModel,
  readBackbone,
  shapesOf,
  wholeGradients,
} from "../../formula.ts";
import { near } from "../../near.ts";

type Case = Readonly<{
  name: string;
  config: Named<Json>;
  loss: number;
  logits: readonly (readonly number[])[];
  gradients: Named<number>;
}>;
const cases = figures.cases as unknown as readonly Case[];
/** An engine over a case's model with all rows as one batch. */
async function opened(
  { name, config }: Case,
  change: Named<Json> = {},
  training: Named<Json> = {},
): Promise<OpenModel> {
  const classes = name.endsWith("sequence");
  const tokens = name.endsWith("token");
  const rows = figures.rows.map((row, i) => ({
    ...row,
    ...(classes ? { labels: figures.classes[i] } : {}),
    ...(tokens ? { labels: row.labels.map((label) => (label < 0 ? label : label % 3)) } : {}),
  }));
  const head = classes ? sequence({ numLabels: 3 }) : tokens ? token({ numLabels: 3 }) : lm();
  const changed = { ...config, ...change };
  const weights = formulaWeights(shapesOf(changed, head), { size: 0.15, norms: /norm|ln_/ });
  return await openModel(await modelHost(changed, weights), {
    task: classes
      ? { use: "sequence-classification", with: { numLabels: 3 } }
      : tokens
      ? { use: "token-classification", with: { labels: ["a", "b", "c"] } }
      : "causal-lm",
    rows,
    training: { perDeviceTrainBatchSize: 3, ...training },
  });
}

/** Loss and gradients by parameter, whole, of one step that changes nothing. */
async function gradients(engine: Engine, batch: Batch): Promise<Readonly<{ loss: number; all: Named<Float32Array> }>> {
  const { loss } = await engine.step([batch], { step: 1, learningRate: 0, maxGradNorm: 0 });
  return { loss, all: wholeGradients(engine) };
}

describe("torch's figures", () => {
  for (const figure of sampled(cases)) {
    it(figure.name, async () => {
      const { engine, shared, padded } = await opened(figure);
      const { outputs } = await engine.run(padded, false);
      const width = outputs.logits?.dims.at(-1) ?? 0;
      figure.logits.forEach((row, place) => {
        // Padding is of no consequence.
        if (!figure.name.endsWith("sequence") && (padded.tokenOrigins[2 * place] ?? -1) < 0) return;
        row.forEach((value, i) => near(outputs.logits?.data[place * width + i], value, 5e-6, `logit ${place} ${i}`));
      });
      const { loss, all } = await gradients(engine, shared);
      near(loss, figure.loss, 3e-6, "loss");
      assert.deepEqual(Object.keys(all).sort(), Object.keys(figure.gradients).sort());
      for (const [name, projection] of Object.entries(figure.gradients)) {
        const own = all[name]?.reduce((sum, g, i) => sum + g * Math.cos(i), 0);
        near(own, projection, 2e-5 * Math.max(1, Math.abs(projection)), `gradient of ${name}`);
      }
      await engine.close();
    });
  }
});

describe("decoders against themselves", () => {
  const dropouts: Named<Named<Json>> = {
    "llama-biases": { attention_dropout: 0.2 },
    "phi-norms": { attention_dropout: 0.1, resid_pdrop: 0.2, embd_pdrop: 0.1 },
    "gpt2-scales": { attn_pdrop: 0.2, resid_pdrop: 0.1, embd_pdrop: 0.1 },
    "falcon-alibi": { attention_dropout: 0.2, hidden_dropout: 0.1 },
  };
  for (const [name, dropout] of sampled(Object.entries(dropouts))) {
    const figure = cases.find((c) => c.name === name) as Case;
    it(`${name}: rows that share a row, layers computed again, the same with dropout`, async () => {
      const plain = await opened(figure, dropout);
      const again = await opened(figure, dropout, { gradientCheckpointing: true });
      assert.equal(plain.shared.batch, 1);
      assert.equal(plain.padded.batch, 3);
      const wanted = await gradients(plain.engine, plain.padded);
      for (const { engine } of [plain, again]) {
        const actual = await gradients(engine, plain.shared);
        near(actual.loss, wanted.loss, 2e-6, "loss");
        for (const [key, own] of Object.entries(wanted.all)) {
          own.forEach((g, i) => near(actual.all[key]?.[i], g, 1e-5 * Math.max(1, Math.abs(g)), `${key} ${i}`));
        }
      }
      await plain.engine.close();
      await again.engine.close();
    });
  }
});

describe("packing", () => {
  const figure = cases.find((c) => c.name === "qwen2-window") as Case;

  it("rows hold whole sequences, as many as fit, and compute what they compute alone", async () => {
    const { open, train, engine, padded } = await opened(figure, { attention_dropout: 0 }, { maxLength: 10 });
    const samples = await allSamples(await packRows(open, train));
    assert.deepEqual(samples.map((s) => s.sequences.map((q) => q.length)), [[9], [3, 6]]);
    for (const share of [true, false]) {
      const batch = layOut(samples, { ...open.layout, rowSharing: share });
      assert.deepEqual([batch.batch, batch.samples, batch.sequences, batch.tokens], [2, 2, 3, 18]);
      assert.deepEqual([...batch.inputs.segments!.data].slice(-batch.seq), [1, 1, 1, 2, 2, 2, 2, 2, 2]);
      assert.deepEqual([...batch.inputs.positions!.data].slice(-batch.seq), [0, 1, 2, 0, 1, 2, 3, 4, 5]);
      const [actual, wanted] = [await gradients(engine, batch), await gradients(engine, padded)];
      near(actual.loss, wanted.loss, 2e-6, "loss");
      for (const [key, own] of Object.entries(wanted.all)) {
        own.forEach((g, i) => near(actual.all[key]?.[i], g, 1e-5 * Math.max(1, Math.abs(g)), `${key} ${i}`));
      }
    }
    await engine.close();
  });

  it("without a length is an error", async () => {
    const { open, train, engine } = await opened(figure);
    await engine.close();
    await assert.rejects(packRows(open, train), /training\.maxLength/);
  });
});

describe("what is not supported is an error that names it", () => {
  const base = cases.find((c) => c.name === "llama-biases")?.config ?? {};
  const wrong: readonly (readonly [Named<Json>, RegExp])[] = [
    [{ rope_scaling: { rope_type: "mrope", factor: 2 } }, /rope_scaling\.rope_type.*mrope/],
    [{ rope_parameters: { rope_type: "yarn", factor: 2 } }, /original_max_position_embeddings/],
    [{
      rope_parameters: {
        rope_type: "longrope",
        short_factor: [1],
        long_factor: [1, 1],
        original_max_position_embeddings: 8,
      },
    }, /short_factor/],
    [{ hidden_act: "xielu" }, /hidden_act.*xielu/],
    [{ num_key_value_heads: 4 }, /num_key_value_heads/],
    [{ model_type: "gemma2", use_bidirectional_attention: true }, /use_bidirectional_attention/],
    [
      { model_type: "qwen2", use_sliding_window: true, layer_types: ["full_attention", "chunked_attention"] },
      /chunked_attention/,
    ],
    [{ model_type: "gpt2", add_cross_attention: true }, /add_cross_attention/],
    [{ model_type: "falcon", hidden_size: 24, new_decoder_architecture: true, parallel_attn: false }, /parallel_attn/],
  ];
  for (const [change, message] of wrong) {
    it(JSON.stringify(change), () => {
      const config = { ...base, ...change };
      assert.throws(() => readBackbone(config), message);
    });
  }
});

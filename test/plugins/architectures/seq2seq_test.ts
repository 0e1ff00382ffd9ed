/**
 * Encoder-decoder models against torch's figures, and against themselves: shared rows, checkpointing, merged adapters.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { describeTrainedModel } from "../../../core/run/write/export.ts";
import { mergedTensors } from "../../../core/run/open/fold.ts";
import type { Tensor } from "../../../core/base/tensor.ts";
import type { Batch, Json, Named, Row } from "../../../core/types.ts";
import { relativeBuckets } from "../../../blocks/architecture/mod.ts";
import figures from "../../fixtures/seq2seq.json" with { type: "json" };
import { sampled } from "../../sampled.ts";
import { formulaWeights, modelHost, type OpenModel, openModel, wholeGradients } from "../../formula.ts";
import { near } from "../../near.ts";

type Case = Readonly<{
  name: string;
  config: Named<Json>;
  tensors: Named<readonly number[]>;
  loss: number;
  dims: readonly number[];
  logits: readonly number[];
  gradients: Named<readonly number[]>;
}>;
const cases = figures.cases as unknown as readonly Case[];
const caseOf = (name: string): Case => cases.find((c) => c.name === name) as Case;

/** An engine over a case's model with all of its rows as one batch. */
async function opened(
  { name, config, tensors }: Case,
  change: Readonly<{ training?: Named<Json>; adapter?: Json; config?: Named<Json>; weights?: Named<Tensor> }> = {},
): Promise<OpenModel> {
  const classes = name.endsWith("sequence");
  const rows = figures.rows.map((row, i) => (classes ? { ...row, labels: figures.classes[i] } : row));
  const host = await modelHost({ ...config, ...change.config }, { ...formulaWeights(tensors), ...change.weights });
  return await openModel(host, {
    task: classes ? { use: "sequence-classification", with: { numLabels: 3 } } : "seq2seq-lm",
    rows: rows as unknown as Row[],
    ...(change.adapter ? { adapter: change.adapter } : {}),
    training: { perDeviceTrainBatchSize: 3, ...change.training },
  });
}

/** Loss and gradients by parameter, whole, of one step that changes nothing. */
async function gradients(
  { engine }: OpenModel,
  batch: Batch,
): Promise<Readonly<{ loss: number; all: Map<string, Float32Array> }>> {
  const { loss } = await engine.step([batch], { step: 1, learningRate: 0, maxGradNorm: 0 });
  return { loss, all: new Map(Object.entries(wholeGradients(engine))) };
}

async function same(a: OpenModel, x: Batch, b: OpenModel, y: Batch): Promise<void> {
  const [one, other] = [await gradients(a, x), await gradients(b, y)];
  near(one.loss, other.loss, 2e-6, "loss");
  assert.deepEqual([...one.all.keys()].sort(), [...other.all.keys()].sort());
  for (const [name, own] of one.all) {
    own.forEach((value, i) => near(value, other.all.get(name)?.[i] ?? NaN, 1e-5 * Math.max(1, Math.abs(value)), name));
  }
  await a.engine.close();
  await b.engine.close();
}

describe("torch's figures", () => {
  for (const figure of sampled(cases)) {
    it(figure.name, async () => {
      const model = await opened(figure);
      const { outputs } = await model.engine.run(model.padded, false);
      figure.logits.forEach((value, i) => near(outputs.logits?.data[i] ?? NaN, value, 5e-6, `logit ${i}`));
      const { loss, all } = await gradients(model, model.shared);
      near(loss, figure.loss, 3e-6, "loss");
      // T5's classifier has a prefix in front of what the other classes call the same.
      const bare = (name: string): string => name.replace(/^transformer\./, "");
      assert.deepEqual([...all.keys()].sort(), Object.keys(figure.gradients).map(bare).sort());
      for (const [name, [norm = NaN, projection = NaN]] of Object.entries(figure.gradients)) {
        const gradient = all.get(bare(name)) ?? new Float32Array(0);
        const scale = 1e-5 * Math.max(1, norm);
        near(Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0)), norm, scale, `norm of ${name}`);
        near(gradient.reduce((sum, g, i) => sum + g * Math.cos(i), 0), projection, 2 * scale, `projection of ${name}`);
      }
      await model.engine.close();
    });
  }

  for (const { numBuckets, maxDistance, bidirectional, buckets } of figures.buckets) {
    it(`buckets: ${numBuckets} up to ${maxDistance}${bidirectional ? ", both ways" : ""}`, () => {
      assert.deepEqual([...relativeBuckets(numBuckets, maxDistance, bidirectional)], buckets);
    });
  }
});

const dropouts: Readonly<Record<string, Named<Json>>> = {
  t5: { dropout_rate: 0.2 },
  bart: { dropout: 0.2, attention_dropout: 0.2, activation_dropout: 0.1 },
};

for (const [name, config] of sampled(Object.entries(dropouts))) {
  describe(`${name}, with dropout`, () => {
    it("rows shared by both sides are as padded ones", async () => {
      const [a, b] = [await opened(caseOf(name), { config }), await opened(caseOf(name), { config })];
      assert.equal(a.shared.batch, 1);
      assert.equal(b.padded.batch, 3);
      await same(a, a.shared, b, b.padded);
    });

    it("layers computed again give the same gradients", async () => {
      const again = await opened(caseOf(name), { config, training: { gradientCheckpointing: true } });
      const plain = await opened(caseOf(name), { config });
      await same(again, again.shared, plain, plain.shared);
    });
  });
}

for (const name of ["t5", "bart"]) {
  it(`${name}: LoRA folded in computes the same`, async () => {
    const adapter = { use: "lora", with: { r: 2, initLoraWeights: false } };
    const apart = await opened(caseOf(name), { adapter });
    assert.ok(
      apart.engine.state.trained.some((t) => /decoder.*(EncDecAttention.v|encoder_attn.v_proj).lora_A/.test(t.name)),
    );
    const { forms, read } = await mergedTensors(await describeTrainedModel(apart.open));
    const weights: Record<string, Tensor> = {};
    for (const key of Object.keys(forms)) weights[key] = await read(key);
    const folded = await opened(caseOf(name), { weights });
    const [a, b, plain] = await Promise.all(
      [apart, folded, await opened(caseOf(name))].map(async ({ engine, padded }) => {
        const { outputs } = await engine.run(padded, false);
        await engine.close();
        return outputs.logits?.data ?? new Float32Array(0);
      }),
    );
    a?.forEach((value, i) => near(value, b?.[i] ?? NaN, 1e-5, `logit ${i}`));
    assert.ok(a?.some((value, i) => Math.abs(value - (plain?.[i] ?? NaN)) > 1e-3), "the adapter changes something");
  });
}

it("adapters of T5's classifier have the names that PEFT gives them", async () => {
  const { engine, open } = await opened(caseOf("t5-sequence"), { adapter: { use: "lora", with: { r: 2 } } });
  const key = (name: string): string | undefined => open.attached[0]?.record?.key(name);
  const query = "encoder.block.0.layer.0.SelfAttention.q.lora_A.weight";
  assert.equal(key(query), `base_model.model.transformer.${query}`);
  assert.equal(key("classification_head.dense.bias"), "base_model.model.classification_head.dense.bias");
  await engine.close();
});

it("BART's classifier trains beside an adapter", async () => {
  const { engine } = await opened(caseOf("bart-sequence"), { adapter: { use: "lora", with: { r: 2 } } });
  assert.ok(engine.state.trained.some((t) => t.name === "classification_head.dense.weight"));
  assert.ok(!engine.state.trained.some((t) => t.name.includes("fc1")));
  await engine.close();
});

it("prefixes want as many layers in the encoder as in the decoder, whose keys and values they are", async () => {
  const adapter = { use: "prefix-tuning", with: { numVirtualTokens: 2 } };
  await assert.rejects(opened(caseOf("bart"), { adapter }), /its decoder has more layers than its encoder/);
  const { engine } = await opened(caseOf("t5-sequence"), { adapter });
  assert.ok(engine.state.trained.some((t) => t.name.includes("prompt_embeddings")));
  await engine.close();
});

/**
 * Models that tell masked tokens, ModernBERT, XLNet and DeBERTa: against torch's figures, against themselves, and their gradients
 * against their losses.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { spanRows } from "../../../blocks/architecture/mod.ts";
import type { Engine } from "../../../core/engine/engine.ts";
import type { Tensor } from "../../../core/base/tensor.ts";
import type { Batch, Json, Named, Row } from "../../../core/types.ts";
import figures from "../../fixtures/masked_models.json" with { type: "json" };
import { sampled } from "../../sampled.ts";
import { formulaWeights, modelHost, type OpenModel, openModel, readBackbone, wholeGradients } from "../../formula.ts";
import { near } from "../../near.ts";

type Case = Readonly<{
  name: string;
  task: keyof typeof tasks;
  config: Named<Json>;
  tensors: Named<readonly number[]>;
  loss: number;
  logits: readonly (readonly number[] | readonly (readonly number[])[])[];
  relations?: readonly (readonly number[])[];
  gradients: Named<readonly [norm: number, projection: number]>;
}>;
const cases = figures.cases as unknown as readonly Case[];

const tasks = {
  MaskedLM: { use: "masked-lm" },
  PreTraining: { use: "pretraining" },
  LMHeadModel: { use: "permutation-lm" },
  SequenceClassification: { use: "sequence-classification", with: { numLabels: 3 } },
  TokenClassification: { use: "token-classification", with: { labels: ["a", "b", "c"] } },
} as const;

function rowsOf({ name, task }: Case): Row[] {
  const { ids, types, tokens, tags, classes, follows, orders } = figures;
  return ids.map((input_ids, i) => {
    const row = name.startsWith("DistilBert") || name.startsWith("ModernBert")
      ? { input_ids }
      : { input_ids, token_type_ids: types[i] };
    if (task === "SequenceClassification") return { ...row, labels: classes[i] };
    if (task === "TokenClassification") return { ...row, labels: tags[i] };
    if (task === "PreTraining") return { ...row, labels: tokens[i], next_sentence_label: follows[i] };
    if (task === "MaskedLM") return { ...row, labels: tokens[i] };
    const target_mapping = input_ids.map((_, a) => input_ids.map((_, b) => (a === b ? 1 : 0)));
    return { ...row, labels: tokens[i], perm_mask: orders[i], target_mapping };
  });
}

/** An engine over a case's model, and all rows as one batch: sharing rows, and a row each. */
async function opened(figure: Case, change: Named<Json> = {}, training: Named<Json> = {}): Promise<OpenModel> {
  const host = await modelHost({ ...figure.config, ...change }, formulaWeights(figure.tensors));
  const open = await openModel(host, {
    task: tasks[figure.task],
    rows: rowsOf(figure),
    training: { perDeviceTrainBatchSize: 4, ...training },
  });
  assert.deepEqual(open.engine.fresh, []);
  return open;
}

/** Loss and gradients by parameter, whole, of one step. */
async function stepped(
  engine: Engine,
  batch: Batch,
  learningRate: number = 0,
): Promise<Readonly<{ loss: number; all: Named<Float32Array> }>> {
  const { loss } = await engine.step([batch], { step: 1, learningRate, maxGradNorm: 0 });
  return { loss, all: wholeGradients(engine) };
}

const dot = (a: Named<Float32Array>, b: Named<Float32Array>): number =>
  Object.entries(a).reduce((sum, [name, x]) => x.reduce((sum, g, i) => sum + g * (b[name]?.[i] ?? NaN), sum), 0);

/** Logits [sequences][places][classes], or [sequences][classes], as the figures have them. */
function checkLogits(figure: Case, batch: Batch, logits: Tensor | undefined): void {
  const width = logits?.dims.at(-1) ?? 0;
  const check = (at: number, wanted: readonly number[], what: string): void =>
    wanted.forEach((value, i) => near(Number(logits?.data[at * width + i]), value, 5e-6, `logit ${i} of ${what}`));
  if (figure.task === "SequenceClassification") {
    figure.logits.forEach((row, i) => check(i, row as readonly number[], `row ${i}`));
    return;
  }
  let checked = 0;
  for (let at = 0; at < batch.tokenOrigins.length / 2; at++) {
    const [row = -1, place = -1] = batch.tokenOrigins.subarray(2 * at, 2 * at + 2);
    // A place that is not told has no query in torch's figures.
    if (row < 0 || (figure.task === "LMHeadModel" && figures.tokens[row]?.[place] === -100)) continue;
    check(at, (figure.logits[row] as readonly (readonly number[])[])[place] ?? [], `place ${place} of row ${row}`);
    checked++;
  }
  const counted = figures.tokens.flat().filter((label) => figure.task !== "LMHeadModel" || label !== -100).length;
  assert.equal(checked, counted);
}

describe("torch's figures, whether rows are shared or padded", () => {
  for (const figure of sampled(cases)) {
    const tail = JSON.stringify(figure.config).length;
    it(`${figure.name}, a config of ${tail} letters`, async () => {
      const { engine, shared, padded } = await opened(figure);
      assert.deepEqual([shared.batch < padded.batch, padded.batch], [true, 4]);
      for (const batch of [shared, padded]) {
        const { outputs } = await engine.run(batch, false);
        checkLogits(figure, batch, outputs.logits);
        figure.relations?.flat().forEach((value, i) =>
          near(Number(outputs.seqRelationshipLogits?.data[i]), value, 5e-6, `relation ${i}`)
        );
        const { loss, all } = await stepped(engine, batch);
        near(loss, figure.loss, 3e-6 * Math.max(1, figure.loss), "loss");
        assert.deepEqual(Object.keys(all).sort(), Object.keys(figure.gradients).sort());
        for (const [name, [norm, projection]] of Object.entries(figure.gradients)) {
          const gradient = all[name] ?? new Float32Array(0);
          const scale = 1e-5 * Math.max(1, norm);
          near(Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0)), norm, scale, `norm of ${name}`);
          near(
            gradient.reduce((sum, g, i) => sum + g * Math.cos(i), 0),
            projection,
            2 * scale,
            `projection of ${name}`,
          );
        }
      }
      await engine.close();
    });
  }
});

describe("rows of distances", () => {
  for (const { span, maxPosition, rows } of figures.rows) {
    it(`${span} for ${maxPosition ?? "all"}`, () => {
      const own = spanRows(span, maxPosition ?? undefined);
      const [furthest, most] = [(own.length - 1) / 2, (rows.length - 1) / 2];
      const at = (distance: number): number | undefined =>
        own[Math.max(-furthest, Math.min(furthest, distance)) + furthest];
      assert.deepEqual(rows.map((_, i) => at(i - most)), rows);
    });
  }
});

describe("configs of DeBERTa that are refused by their field", () => {
  const refused: readonly Named<Json>[] = [
    { conv_kernel_size: 3 },
    { embedding_size: 8 },
    { pos_att_type: "p2c|p2p" },
    { pos_att_type: [1] },
    { position_buckets: 2 },
    { position_buckets: 256, max_relative_positions: 128 },
    { position_buckets: 2.5 },
    { max_relative_positions: 1e9 },
  ];
  for (const fields of refused) {
    const [field = ""] = Object.keys(fields);
    it(JSON.stringify(fields), () => {
      const config = { model_type: "deberta-v2", relative_attention: true, ...fields };
      assert.throws(() => readBackbone(config), { name: "AttuneError", path: `config.${field}` });
    });
  }
});

const dropouts: Named<Named<Json>> = {
  BertForPreTraining: { hidden_dropout_prob: 0.2, attention_probs_dropout_prob: 0.2 },
  AlbertForMaskedLM: { hidden_dropout_prob: 0.2, attention_probs_dropout_prob: 0.2 },
  MPNetForSequenceClassification: { hidden_dropout_prob: 0.2, attention_probs_dropout_prob: 0.2 },
  // The table as it is: layers read a parameter besides.
  DebertaV2ForMaskedLM: { hidden_dropout_prob: 0.2, attention_probs_dropout_prob: 0.2, norm_rel_ebd: "none" },
  ModernBertForMaskedLM: { attention_dropout: 0.2, mlp_dropout: 0.2, embedding_dropout: 0.1 },
  XLNetLMHeadModel: { dropout: 0.2 },
};

for (const [name, dropout] of sampled(Object.entries(dropouts))) {
  const figure = cases.find((c) => c.name === name) as Case;
  describe(name, () => {
    it("with dropout: shared rows and layers computed again are as padded rows", async () => {
      const plain = await opened(figure, dropout);
      const again = await opened(figure, dropout, { gradientCheckpointing: true });
      const wanted = await stepped(plain.engine, plain.padded);
      assert.ok(Math.abs(wanted.loss - figure.loss) > 1e-4, "dropout changes something");
      for (const { engine } of [plain, again]) {
        const actual = await stepped(engine, plain.shared);
        near(actual.loss, wanted.loss, 3e-6 * Math.max(1, wanted.loss), "loss");
        for (const [key, own] of Object.entries(wanted.all)) {
          own.forEach((g, i) => near(actual.all[key]?.[i], g, 1e-5 * Math.max(1, Math.abs(g)), `${key} ${i}`));
        }
      }
      await plain.engine.close();
      await again.engine.close();
    });

    it("a step changes the loss by what its gradients say", async () => {
      const { engine, shared } = await opened(figure);
      const start = await stepped(engine, shared);
      const rate = 0.02 / dot(start.all, start.all);
      const before = await stepped(engine, shared, rate);
      const after = await stepped(engine, shared);
      // The rule of trapezoids, whose error is of the third order.
      const predicted = rate * (dot(before.all, before.all) + dot(before.all, after.all)) / 2;
      assert.ok(predicted > 0.015);
      near(before.loss - after.loss, predicted, 2e-5, "change of the loss");
      await engine.close();
    });
  });
}

/**
 * DeBERTa-v2 and v3 (He et al. 2021, 2023).
 * @module
 */
import { badValue, unsupported } from "../../core/base/errors.ts";
import type { Factory, HeadSpec } from "../../core/types.ts";
import {
  bertLayers,
  type ConfigReader,
  defineEncoder,
  disentangled,
  type EncoderOptions,
  layerNorm,
  type ModelOptions,
  oneLayer,
  type RelativeAttention,
  spanRows,
  transform,
  vocabularyBias,
} from "../../blocks/architecture/mod.ts";

const NAME = "deberta-v2";

/**
 * DeBERTa-v2 and v3: contents attend to distances, and distances to contents. The convolution that the largest models of
 * version 2 have is not supported.
 *
 * @example
 * ```ts
 * import { debertaV2 } from "attune/architectures/deberta-v2";
 * console.assert(debertaV2().modelTypes.includes("deberta-v2"));
 * ```
 */
export const debertaV2: Factory<"architecture", ModelOptions> = defineEncoder({
  name: NAME,
  prefix: "deberta",
  classPrefix: "DebertaV2",
  defaults: {
    hidden_size: 1536,
    num_hidden_layers: 24,
    num_attention_heads: 24,
    intermediate_size: 6144,
    vocab_size: 128100,
    type_vocab_size: 0,
    embedding_size: null,
    layer_norm_eps: 1e-7,
  },
  positions: (c) => c.flag("position_biased_input", true),
  uniformPadding: true,
  relative,
  layers: bertLayers("deberta", { query: "query_proj", key: "key_proj", value: "value_proj" }),
  heads: (c, { hiddenSize, hiddenDropout, epsilon, tied }) => {
    c.only("pooler_hidden_size", hiddenSize);
    const dense = { dense: "pooler.dense", outFeatures: hiddenSize };
    const activation = c.text("pooler_hidden_act", "gelu");
    const dropout = c.rate("cls_dropout", hiddenDropout);
    const steps: HeadSpec["steps"] = [{ dropout: c.rate("pooler_dropout") }, dense, { activation }, { dropout }];
    const sequence: HeadSpec = { pool: "first", steps, out: "classifier" };
    const words = (path: string): HeadSpec["steps"] =>
      transform(`${path}.dense`, hiddenSize, c.text("hidden_act"), `${path}.LayerNorm`, epsilon);
    const path = "cls.predictions";
    const legacy = {
      steps: words(`${path}.transform`),
      out: `${path}.decoder`,
      ...vocabularyBias(tied, `${path}.bias`),
    };
    // The head from pretraining, which has no matrix of its own but the embeddings'.
    const own = "lm_predictions.lm_head";
    return {
      sequence,
      mlm: c.flag("legacy", true) ? { ...legacy, tied } : { steps: words(own), out: own, bias: true, tied: true },
      token: oneLayer("classifier", { dropout: hiddenDropout }),
      span: oneLayer("qa_outputs"),
      choice: sequence,
    };
  },
  targets: {
    attention: ["query_proj", "value_proj"],
    adalora: ["query_proj", "key_proj", "value_proj", "dense"],
    keysValues: ["key_proj", "value_proj"],
    feedForward: ["output.dense"],
    norms: ["LayerNorm"],
    bottleneck: { attention: "attention.output", feedForward: "output" },
  },
});

/** Returns the relative attention of a config. */
function relative(
  c: ConfigReader,
  { hiddenSize, numHeads, epsilon }: Pick<EncoderOptions, "hiddenSize" | "numHeads" | "epsilon">,
): RelativeAttention {
  c.only("conv_kernel_size", 0);
  c.only("embedding_size", hiddenSize);
  c.only("attention_head_size", hiddenSize / numHeads);
  const kinds = kindsOf(c);
  const furthest = c.count("max_relative_positions", -1, -1);
  const maxPosition = furthest < 1 ? c.count("max_position_embeddings") : furthest;
  const buckets = c.count("position_buckets", -1, -1);
  const relative = c.flag("relative_attention", false);
  if (relative && buckets > 0 && (buckets < 4 || Math.floor(buckets / 2) >= maxPosition - 1)) {
    throw badValue(
      NAME,
      "config.position_buckets",
      buckets,
      `-1, or 4 and more, half of them below ${maxPosition - 1}`,
    );
  }
  const span = buckets > 0 ? buckets : maxPosition;
  const isNormed = c.text("norm_rel_ebd", "none").toLowerCase().split("|").some((n) => n.trim() === "layer_norm");
  const module = (kind: string, own: string, shared: string) =>
    relative && kinds.includes(kind)
      ? (path: string) => `${path}.attention.self.${c.flag("share_att_key", false) ? shared : own}`
      : undefined;
  return disentangled({
    hiddenSize,
    numHeads,
    kinds: 1 + kinds.length,
    rows: relative ? spanRows(span, buckets > 0 ? maxPosition : undefined) : new Int32Array(),
    dropout: c.rate("hidden_dropout_prob"),
    table: (b) => {
      const table = b.parameter("deberta.encoder.rel_embeddings.weight", [2 * span, hiddenSize]);
      return isNormed ? layerNorm(epsilon)(b, "deberta.encoder.LayerNorm", table, hiddenSize) : table;
    },
    key: module("c2p", "pos_key_proj", "key_proj"),
    query: module("p2c", "pos_query_proj", "query_proj"),
  });
}

/** Returns the kinds of score terms besides content-to-content. */
function kindsOf(c: ConfigReader): readonly string[] {
  const stated = c.value("pos_att_type") ?? [];
  const kinds = typeof stated === "string" ? stated.toLowerCase().split("|").map((kind) => kind.trim()) : stated;
  if (Array.isArray(kinds) && kinds.every((kind) => kind === "c2p" || kind === "p2c" || kind === "")) {
    return [...new Set(kinds as string[])].filter((kind) => kind !== "");
  }
  throw unsupported(NAME, "config.pos_att_type", stated, 'only "c2p" and "p2c" are');
}

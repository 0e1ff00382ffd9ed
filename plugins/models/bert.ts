/**
 * BERT (Devlin et al. 2019) and its relatives: RoBERTa, DistilBERT, ALBERT, ELECTRA. One encoder; what differs is
 * names, the embeddings' extras, and the heads.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import { badValue } from "../../core/errors.ts";
import { add } from "../../core/graph/functions.ts";
import { cos, pow, sin } from "../../core/math.ts";
import type { Architecture, Build, Factory, HeadStyle, Init, Json, Named, Value } from "../../core/types.ts";
import { activation } from "../../core/graph/activations.ts";
import { furtherHeads } from "./bert_heads.ts";
import { type ConfigReader, readConfig } from "./config.ts";
import { encode, type EncoderOptions, type LayerPaths } from "./encoder.ts";
import { layerNorm } from "./norms.ts";

/** No options: everything is in the checkpoint's config. */
export type BertOptions = Readonly<Record<never, never>>;

/** Schema of {@link BertOptions}. */
export const bertSchema: v.GenericSchema<BertOptions, BertOptions> = v.strictObject({});

const families = ["bert", "roberta", "distilbert", "albert", "electra"] as const;
type Family = (typeof families)[number];

/**
 * The BERT family, read from `config.json` by `model_type`.
 *
 * @example
 * ```ts
 * import { bert } from "attune/models/bert";
 * console.assert(bert().modelTypes.includes("roberta"));
 * ```
 */
export const bert: Factory<"model", BertOptions> = define({
  kind: "model",
  name: "bert",
  schema: bertSchema,
  create: () => ({ modelTypes: families, read }),
});

function read(config: Named<Json>): Architecture {
  const family = families.find((name) => name === config.model_type);
  if (!family) throw badValue("bert", "config.model_type", config.model_type, `one of ${families.join(", ")}`);
  const c = readConfig("bert", config);
  c.only("position_embedding_type", "absolute");
  c.only("is_decoder", false);
  c.only("add_cross_attention", false);
  const small = family === "distilbert";
  const hiddenSize = small ? c.count("dim", 768) : c.count("hidden_size", family === "albert" ? 4096 : 768);
  const numHeads = small ? c.count("n_heads", 12) : c.count("num_attention_heads", family === "albert" ? 64 : 12);
  const numLayers = small ? c.count("n_layers", 6) : c.count("num_hidden_layers", 12);
  if (hiddenSize % numHeads !== 0) {
    throw badValue("bert", "config.num_attention_heads", numHeads, `a divisor of ${hiddenSize}`);
  }
  const hiddenDropout = small ? c.rate("dropout", 0.1) : c.rate("hidden_dropout_prob", family === "albert" ? 0 : 0.1);
  const encoder: EncoderOptions = {
    hiddenSize,
    numHeads,
    intermediateSize: small
      ? c.count("hidden_dim", 3072)
      : c.count("intermediate_size", family === "albert" ? 16384 : 3072),
    epsilon: small ? 1e-12 : c.number("layer_norm_eps", 1e-12),
    activation: small
      ? activation("bert", "config.activation", config.activation ?? "gelu")
      : activation("bert", "config.hidden_act", config.hidden_act ?? (family === "albert" ? "gelu_new" : "gelu")),
    attentionDropout: small
      ? c.rate("attention_dropout", 0.1)
      : c.rate("attention_probs_dropout_prob", family === "albert" ? 0 : 0.1),
    projectionDropout: small ? 0 : hiddenDropout,
    feedForwardDropout: family === "albert" ? 0 : hiddenDropout,
    layers: layersOf(family, c, numLayers),
  };
  const vocabSize = c.count("vocab_size", 30522);
  const padId = c.row("pad_token_id", vocabSize) ?? (family === "roberta" ? 1 : 0);
  const embeddingSize = family === "albert" || family === "electra" ? c.count("embedding_size", 128) : hiddenSize;
  const types = small ? 0 : c.count("type_vocab_size", 2, 0);
  const maxPositions = c.count("max_position_embeddings", 512);
  const root = `${family}.embeddings`;
  const firstPositions = c.flag("sinusoidal_pos_embds", false) ? sinusoids(maxPositions, embeddingSize) : undefined;

  const embed = (b: Build): Value => {
    const stream = b.stream();
    const table = (name: string, ids: Value, numEmbeddings: number, paddingIdx?: number, init?: Init): Value =>
      b.embedding(`${root}.${name}`, ids, { numEmbeddings, embeddingDim: embeddingSize, paddingIdx, init });
    let x = table("word_embeddings", stream.ids, vocabSize, padId);
    if (types > 0) {
      x = add(x, table("token_type_embeddings", b.input("token_type_ids", "int32", ["batch", "seq"]), types));
    }
    const unused = family === "roberta" ? padId : undefined;
    x = add(x, table("position_embeddings", stream.positions, maxPositions, unused, firstPositions));
    x = b.dropout(layerNorm(encoder.epsilon)(b, `${root}.LayerNorm`, x, embeddingSize), hiddenDropout);
    if (family === "albert") {
      return b.linear("albert.encoder.embedding_hidden_mapping_in", x, { outFeatures: hiddenSize });
    }
    if (embeddingSize === hiddenSize) return x;
    return b.linear(`${family}.embeddings_project`, x, { outFeatures: hiddenSize });
  };

  const sequence = sequenceHead(family, c, config, hiddenSize, hiddenDropout);
  return {
    hiddenSize,
    numHeads,
    numKeyValueHeads: numHeads,
    headDim: hiddenSize / numHeads,
    vocabSize,
    maxPositions: family === "roberta" ? maxPositions - padId - 1 : maxPositions,
    baseModelPrefix: family,
    wordEmbeddings: `${root}.word_embeddings`,
    layers: encoder.layers.map((l) => l.path),
    heads: {
      sequence,
      ...furtherHeads(family, c, config, hiddenSize, hiddenDropout, sequence),
    },
    initializerRange: c.number("initializer_range", 0.02),
    positions: family === "roberta" ? { offset: padId + 1, skip: padId } : undefined,
    forward: (b) => encode(b, embed(b), encoder),
  };
}

/** Sines and cosines of the positions (Vaswani et al. 2017), which a table of positions may start from. */
function sinusoids(positions: number, width: number): Init {
  const at = (position: number, i: number): number => position / pow(10000, (i - (i % 2)) / width);
  const data = Float32Array.from({ length: positions * width }, (_, k) => {
    const i = k % width;
    return (i % 2 === 0 ? sin : cos)(at(Math.floor(k / width), i));
  });
  return () => Promise.resolve(data);
}

function layersOf(family: Family, c: ConfigReader, count: number): EncoderOptions["layers"] {
  const groups = family === "albert" ? c.count("num_hidden_groups", 1) : 1;
  const inner = family === "albert" ? c.count("inner_group_num", 1) : 1;
  return Array.from({ length: count }, (_, i) => i).flatMap((i) => {
    if (family === "distilbert") {
      const path = `distilbert.transformer.layer.${i}`;
      return [{ path, paths: distilbertPaths(path) }];
    }
    if (family === "albert") {
      const group = Math.floor(i / (count / groups));
      return Array.from({ length: inner }, (_, k) => {
        const path = `albert.encoder.albert_layer_groups.${group}.albert_layers.${k}`;
        return { path, paths: albertPaths(path) };
      });
    }
    const path = `${family}.encoder.layer.${i}`;
    return [{ path, paths: bertPaths(path) }];
  });
}

function bertPaths(path: string): LayerPaths {
  return {
    query: `${path}.attention.self.query`,
    key: `${path}.attention.self.key`,
    value: `${path}.attention.self.value`,
    attentionOut: `${path}.attention.output.dense`,
    attentionNorm: `${path}.attention.output.LayerNorm`,
    intermediate: `${path}.intermediate.dense`,
    output: `${path}.output.dense`,
    outputNorm: `${path}.output.LayerNorm`,
  };
}

function distilbertPaths(path: string): LayerPaths {
  return {
    query: `${path}.attention.q_lin`,
    key: `${path}.attention.k_lin`,
    value: `${path}.attention.v_lin`,
    attentionOut: `${path}.attention.out_lin`,
    attentionNorm: `${path}.sa_layer_norm`,
    intermediate: `${path}.ffn.lin1`,
    output: `${path}.ffn.lin2`,
    outputNorm: `${path}.output_layer_norm`,
  };
}

function albertPaths(path: string): LayerPaths {
  return {
    query: `${path}.attention.query`,
    key: `${path}.attention.key`,
    value: `${path}.attention.value`,
    attentionOut: `${path}.attention.dense`,
    attentionNorm: `${path}.attention.LayerNorm`,
    intermediate: `${path}.ffn`,
    output: `${path}.ffn_output`,
    outputNorm: `${path}.full_layer_layer_norm`,
  };
}

function sequenceHead(
  family: Family,
  c: ConfigReader,
  config: Named<Json>,
  hiddenSize: number,
  hiddenDropout: number,
): HeadStyle {
  const given = config.classifier_dropout;
  const rate = given === undefined || given === null ? hiddenDropout : c.rate("classifier_dropout");
  const dropout = { dropout: rate };
  switch (family) {
    case "bert":
      return {
        pool: "first",
        steps: [{ dense: "bert.pooler.dense", outFeatures: hiddenSize }, { activation: "tanh" }, dropout],
        out: "classifier",
      };
    case "albert":
      return {
        pool: "first",
        steps: [
          { dense: "albert.pooler", outFeatures: hiddenSize },
          { activation: "tanh" },
          { dropout: c.rate("classifier_dropout_prob", 0.1) },
        ],
        out: "classifier",
      };
    case "distilbert":
      return {
        pool: "first",
        steps: [
          { dense: "pre_classifier", outFeatures: hiddenSize },
          { activation: "relu" },
          { dropout: c.rate("seq_classif_dropout", 0.2) },
        ],
        out: "classifier",
      };
    case "roberta":
    case "electra":
      return {
        pool: "first",
        steps: [
          dropout,
          { dense: "classifier.dense", outFeatures: hiddenSize },
          { activation: family === "electra" ? "gelu" : "tanh" },
          dropout,
        ],
        out: "classifier.out_proj",
      };
  }
}

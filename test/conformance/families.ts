/** Tiny models of every family, with random weights. */
import { compose } from "../../core/spec/compose.ts";
import { trainRun } from "../../core/run/train/train.ts";
import type { Host, Json, Named, RunSpec, Store } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { memory } from "../../plugins/stores/memory.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { tinyHost } from "../tiny.ts";

const encoder = {
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 24,
  max_position_embeddings: 48,
};
const decoder = { ...encoder, num_key_value_heads: 1 };
const t5 = {
  d_model: 16,
  d_kv: 8,
  d_ff: 24,
  num_layers: 2,
  num_heads: 2,
  relative_attention_num_buckets: 8,
  relative_attention_max_distance: 20,
  decoder_start_token_id: 0,
};
/** The task of encoders. */
export const classes: Json = { use: "sequence-classification", with: { labels: ["bad", "good"] } };

/** A tiny model and what it learns most naturally. */
export type Family = Readonly<{ config: Named<Json>; task: Json }>;

/** One of each `model_type`. */
export const families: Named<Family> = {
  bert: { config: { model_type: "bert", ...encoder }, task: classes },
  roberta: { config: { model_type: "roberta", ...encoder, pad_token_id: 0, type_vocab_size: 2 }, task: classes },
  "xlm-roberta": {
    config: { model_type: "xlm-roberta", ...encoder, pad_token_id: 0, type_vocab_size: 2 },
    task: classes,
  },
  camembert: { config: { model_type: "camembert", ...encoder, pad_token_id: 0, type_vocab_size: 2 }, task: classes },
  mpnet: { config: { model_type: "mpnet", ...encoder }, task: classes },
  "deberta-v2": {
    config: {
      model_type: "deberta-v2",
      ...encoder,
      relative_attention: true,
      position_buckets: 8,
      pos_att_type: "p2c|c2p",
      norm_rel_ebd: "layer_norm",
      share_att_key: true,
      position_biased_input: false,
    },
    task: classes,
  },
  distilbert: {
    config: { model_type: "distilbert", dim: 16, n_layers: 2, n_heads: 2, hidden_dim: 24, max_position_embeddings: 48 },
    task: classes,
  },
  albert: { config: { model_type: "albert", ...encoder, embedding_size: 8 }, task: classes },
  electra: { config: { model_type: "electra", ...encoder, embedding_size: 8 }, task: classes },
  modernbert: {
    config: {
      model_type: "modernbert",
      ...encoder,
      local_attention: 8,
      global_attn_every_n_layers: 2,
      pad_token_id: 0,
    },
    task: classes,
  },
  xlnet: { config: { model_type: "xlnet", d_model: 16, n_layer: 2, n_head: 2, d_inner: 24 }, task: classes },
  gpt2: { config: { model_type: "gpt2", n_embd: 16, n_layer: 2, n_head: 2, n_positions: 48 }, task: "causal-lm" },
  llama: { config: { model_type: "llama", ...decoder }, task: "causal-lm" },
  mistral: { config: { model_type: "mistral", ...decoder, sliding_window: 4 }, task: "causal-lm" },
  qwen2: { config: { model_type: "qwen2", ...decoder }, task: "causal-lm" },
  qwen3: { config: { model_type: "qwen3", ...decoder, head_dim: 8 }, task: "causal-lm" },
  gemma2: {
    config: { model_type: "gemma2", ...decoder, head_dim: 8, query_pre_attn_scalar: 8, sliding_window: 4 },
    task: "causal-lm",
  },
  gemma3: {
    config: { model_type: "gemma3_text", ...decoder, head_dim: 8, query_pre_attn_scalar: 8, sliding_window: 4 },
    task: "causal-lm",
  },
  falcon: { config: { model_type: "falcon", ...encoder, ffn_hidden_size: 24 }, task: "causal-lm" },
  phi: { config: { model_type: "phi", ...encoder }, task: "causal-lm" },
  phi3: {
    config: { model_type: "phi3", ...decoder, original_max_position_embeddings: 48, pad_token_id: 0 },
    task: "causal-lm",
  },
  smollm3: {
    config: { model_type: "smollm3", ...decoder, no_rope_layer_interval: 2, pad_token_id: 0 },
    task: "causal-lm",
  },
  olmo2: { config: { model_type: "olmo2", ...decoder, pad_token_id: 0 }, task: "causal-lm" },
  granite: {
    config: {
      model_type: "granite",
      ...decoder,
      embedding_multiplier: 6,
      residual_multiplier: 0.5,
      attention_multiplier: 0.3,
    },
    task: "causal-lm",
  },
  t5: { config: { model_type: "t5", ...t5 }, task: "seq2seq-lm" },
  mt5: {
    config: { model_type: "mt5", ...t5, feed_forward_proj: "gated-gelu", tie_word_embeddings: false },
    task: "seq2seq-lm",
  },
  bart: {
    config: {
      model_type: "bart",
      d_model: 16,
      encoder_layers: 2,
      decoder_layers: 2,
      encoder_attention_heads: 2,
      decoder_attention_heads: 2,
      encoder_ffn_dim: 24,
      decoder_ffn_dim: 24,
      max_position_embeddings: 48,
      pad_token_id: 0,
      // Not the padding's row, which takes no gradient.
      decoder_start_token_id: 2,
    },
    task: "seq2seq-lm",
  },
};

const varied = (name: string, change: Named<Json>): Family => {
  const { config = {}, task = classes } = families[name] ?? {};
  return { config: { ...config, ...change }, task };
};

/** Arrangements that configs of these families may ask for besides. */
export const variants: Named<Family> = {
  "bert, another activation": varied("bert", { hidden_act: "gelu_new" }),
  "deberta-v2, as version 2": varied("deberta-v2", {
    position_buckets: -1,
    max_relative_positions: 4,
    norm_rel_ebd: "none",
    share_att_key: false,
    position_biased_input: true,
    type_vocab_size: 2,
  }),
  "gpt2, scaled by layer": varied("gpt2", { scale_attn_by_inverse_layer_idx: true, n_inner: 20 }),
  "llama, biases and scaled rotation": varied("llama", {
    attention_bias: true,
    mlp_bias: true,
    head_dim: 6,
    tie_word_embeddings: true,
    rope_parameters: {
      rope_type: "llama3",
      rope_theta: 100,
      factor: 4,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 16,
    },
  }),
  "llama, yarn": varied("llama", {
    rope_parameters: { rope_type: "yarn", rope_theta: 100, factor: 4, original_max_position_embeddings: 16 },
  }),
  "gemma2, capped": varied("gemma2", { attn_logit_softcapping: 2, final_logit_softcapping: 3 }),
  "phi, partly rotated": varied("phi", { partial_rotary_factor: 0.5, qk_layernorm: true }),
  "falcon, new decoder": varied("falcon", { new_decoder_architecture: true, num_kv_heads: 1 }),
  "falcon, ALiBi": varied("falcon", { alibi: true, multi_query: false, parallel_attn: false, bias: true }),
  "smollm3, windows": varied("smollm3", { use_sliding_window: true, sliding_window: 4, attention_bias: true }),
  "granite, scaled logits": varied("granite", { logits_scaling: 3, tie_word_embeddings: true }),
  "t5, gated": varied("t5", { feed_forward_proj: "gated-gelu", num_decoder_layers: 1 }),
  "bart, scaled embeddings": varied("bart", { scale_embedding: true, activation_function: "silu", decoder_layers: 1 }),
};

/** Rows for every task of theirs. */
export const rows = ["the film was good .", "a phone is not bad !", "very poor food", "the food was great and fun ."]
  .map((text, i) => ({ text, label: i % 2 === 0 ? "good" : "bad", source: text, target: "very nice ." }));

/** A few steps over the rows. */
export function specWith(model: Json, task: Json, adapter: readonly Json[], learningRate: number): RunSpec {
  const data = { use: "memory", with: { rows } };
  return {
    version: 1,
    model,
    task,
    data: { train: data, eval: data },
    adapter,
    schedule: "constant",
    training: { maxSteps: 3, learningRate, perDeviceTrainBatchSize: 4, evalOnStart: true, saveStrategy: "no" },
  } as unknown as RunSpec;
}

/** A family's model as a source. */
export function tinyModel({ config }: Family): Json {
  const own = { vocab_size: 28, initializer_range: 0.2, pad_token_id: 0, ...config };
  return { use: "random", with: { config: own, tokenizer: "tiny:model" } };
}

const bases = new Map<string, Promise<Store>>();

/** A family's tiny model with random weights, as files. */
export function made(family: string): Promise<Store> {
  const known = bases.get(family);
  if (known) return known;
  const base = (async () => {
    const example = families[family] ?? { config: {}, task: classes };
    const host = tinyHost(await hostHere(1));
    const output = await memory().open(host);
    for await (
      const _ of trainRun(compose(specWith(tinyModel(example), example.task, [], 0), catalog), host, { output })
    );
    return output;
  })();
  bases.set(family, base);
  return base;
}

/** A host where a store's keys below a prefix are a directory. */
export function placed(host: Host, name: string, store: Store, prefix: string): Host {
  const scoped: Store = {
    ...store,
    get: (key, range) => store.get(prefix + key, range),
    list: async function* (start) {
      for await (const file of store.list(prefix + start)) yield { ...file, key: file.key.slice(prefix.length) };
    },
  };
  return {
    ...host,
    directory: (path) => (path.endsWith(name) ? scoped : host.directory?.(path) ?? scoped),
    resolve: (path, base) => (path.endsWith(name) ? name : host.resolve?.(path, base) ?? path),
  };
}

/** What makes a step the same every time, by the names that families have for it. */
export const noDropout: Named<Json> = {
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
  dropout: 0,
  attention_dropout: 0,
  dropout_rate: 0,
  resid_pdrop: 0,
  embd_pdrop: 0,
  attn_pdrop: 0,
  seq_classif_dropout: 0,
  classifier_dropout: 0,
};

/** Losses of two steps of a family's own task, on a host. */
export async function lossesOn(family: Family, host: Host): Promise<number[]> {
  const data = { use: "memory", with: { rows } };
  const spec = {
    version: 1,
    model: tinyModel({ ...family, config: { ...family.config, ...noDropout } }),
    task: family.task,
    data: { train: data },
    training: { maxSteps: 2, learningRate: 0.01, perDeviceTrainBatchSize: 4, saveStrategy: "no" },
  } as unknown as RunSpec;
  const losses: number[] = [];
  for await (const event of trainRun(compose(spec, catalog), tinyHost(host), {})) {
    if (event.type === "step") losses.push(event.loss);
  }
  return losses;
}

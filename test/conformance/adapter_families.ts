/**
 * An adapter on tiny models of every family: that it trains there, comes back from its files and merges.
 * @module
 */
import assert from "node:assert/strict";
import { compose } from "../../core/compose.ts";
import { AttuneError } from "../../core/errors.ts";
import { layOut } from "../../core/loop/layout.ts";
import { openAdapters } from "../../core/run/adapters.ts";
import { encodeRows } from "../../core/run/data.ts";
import { evaluateRun } from "../../core/run/evaluate.ts";
import { openRun } from "../../core/run/open.ts";
import { trainRun } from "../../core/run/train.ts";
import type { Host, Json, Named, RunSpec, Store } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { memory as rowsOf } from "../../plugins/data/memory.ts";
import { memory } from "../../plugins/stores/memory.ts";
import { hostHere } from "../../runtimes/train.ts";
import { tinyHost } from "../tiny.ts";

const encoder = {
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 24,
  max_position_embeddings: 48,
};
const decoder = { ...encoder, num_key_value_heads: 1 };
const classes: Json = { use: "sequence-classification", with: { labels: ["bad", "good"] } };

/** Each family's config and what is learned. */
export const families: Named<Readonly<{ config: Named<Json>; task: Json }>> = {
  bert: { config: { model_type: "bert", ...encoder }, task: classes },
  roberta: { config: { model_type: "roberta", ...encoder, pad_token_id: 0, type_vocab_size: 1 }, task: classes },
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
  t5: {
    config: {
      model_type: "t5",
      d_model: 16,
      d_kv: 8,
      d_ff: 24,
      num_layers: 2,
      num_heads: 2,
      relative_attention_num_buckets: 8,
      relative_attention_max_distance: 20,
      decoder_start_token_id: 0,
    },
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
      decoder_start_token_id: 0,
    },
    task: "seq2seq-lm",
  },
};

const rows = ["the film was good .", "a phone is not bad !", "very poor food", "the food was great and fun ."]
  .map((text, i) => ({ text, label: i % 2 === 0 ? "good" : "bad", source: text, target: "very nice ." }));

/** What came of an adapter on a family: how far apart losses were, or why it is refused there. */
export type Outcome = Readonly<
  | { refused: string }
  | { learnt: number; reloaded: number | undefined; merged: number | undefined }
>;

/** Trains a few steps, loads what was saved, and merges; differences are absolute ones of the loss and of logits. */
export async function onFamily(use: Readonly<{ use: string; with?: Named<Json> }>, family: string): Promise<Outcome> {
  const { task } = families[family] ?? { task: classes };
  const model = await (bases.get(family) ?? made(family));
  const plain = placed(tinyHost(await hostHere(1)), "tiny:base", model, "model/");
  const specOf = (adapter: readonly Json[]): RunSpec =>
    specWith({ use: "pretrained", with: { path: "tiny:base", config: noDropout } }, task, adapter, 0.02);
  const output = await memory().open(plain);
  const losses: number[] = [];
  try {
    for await (const event of trainRun(compose(specOf([use]), catalog), plain, { output })) {
      if (event.type === "evaluate") losses.push(event.metrics.loss ?? NaN);
    }
  } catch (error) {
    if (error instanceof AttuneError && ["UNSUPPORTED", "MISSING", "NO_MATCH"].includes(error.code)) {
      return { refused: error.message };
    }
    throw error;
  }
  const [before = NaN, after = NaN] = [losses[0], losses.at(-1)];
  const learnt = before - after;
  if (!await output.get("adapter/adapter_config.json")) return { learnt, reloaded: undefined, merged: undefined };
  const host = placed(plain, "tiny:adapter", output, "adapter/");
  const saved = { use: use.use, with: { from: "tiny:adapter" } };
  const open = await openRun(compose(specOf([saved]), catalog), host);
  const reloaded = Math.abs((await evaluateRun(open, rowsOf({ rows }))).loss ?? NaN) - after;
  const [attached] = open.attached;
  // What is nowhere in the graph is the model's own parameters, which merging puts in their place.
  const mergeable = attached?.merge ??
    !["linear", "embedding", "attention", "sublayer", "layer"].some((seam) => attached && seam in attached);
  if (!mergeable) return { learnt, reloaded: Math.abs(reloaded), merged: undefined };
  const set = await openAdapters(compose(specOf([]), catalog), host);
  try {
    await set.add("one", saved);
    const { samples } = await encodeRows(open, rowsOf({ rows }), true);
    const logits = async (stack: readonly string[]): Promise<Float32Array> =>
      (await set.run(layOut(samples, set.layout(stack)), stack)).outputs.logits?.data ?? new Float32Array();
    const apart = await logits(["one"]);
    await set.merge("one");
    const merged = await logits([]);
    const most = apart.reduce((worst, x, i) => Math.max(worst, Math.abs(x - (merged[i] ?? NaN))), 0);
    return { learnt, reloaded: Math.abs(reloaded), merged: apart.length === merged.length ? most : NaN };
  } finally {
    await set.close();
  }
}

function specWith(model: Json, task: Json, adapter: readonly Json[], learningRate: number): RunSpec {
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

const bases = new Map<string, Promise<Store>>();

/** A family's tiny model with random weights, as files. */
function made(family: string): Promise<Store> {
  const base = (async () => {
    const { config, task } = families[family] ?? { config: {}, task: classes };
    const host = tinyHost(await hostHere(1));
    const output = await memory().open(host);
    const own = { vocab_size: 28, initializer_range: 0.2, pad_token_id: 0, ...config };
    const source = { use: "random", with: { config: own, tokenizer: "tiny:model" } };
    for await (const _ of trainRun(compose(specWith(source, task, [], 0), catalog), host, { output }));
    return output;
  })();
  bases.set(family, base);
  return base;
}

/** A host where a store's keys below a prefix are a directory. */
function placed(host: Host, name: string, store: Store, prefix: string): Host {
  const own: Store = {
    ...store,
    get: (key, range) => store.get(prefix + key, range),
    list: async function* (start) {
      for await (const found of store.list(prefix + start)) yield { ...found, key: found.key.slice(prefix.length) };
    },
  };
  return {
    ...host,
    directory: (path) => (path.endsWith(name) ? own : host.directory?.(path) ?? own),
    resolve: (path, base) => (path.endsWith(name) ? name : host.resolve?.(path, base) ?? path),
  };
}

const noDropout: Named<Json> = {
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

/** One configuration of each adapter, which fits every family. */
export const members: readonly Readonly<{ use: string; with?: Named<Json> }>[] = [
  { use: "lora", with: { r: 2 } },
  { use: "dora", with: { r: 2 } },
  { use: "adalora", with: { initR: 3, targetR: 1, tinit: 1, tfinal: 1 } },
  { use: "ia3" },
  { use: "vera", with: { r: 4 } },
  { use: "ln-tuning" },
  { use: "prompt-tuning", with: { numVirtualTokens: 2 } },
  { use: "p-tuning", with: { numVirtualTokens: 2 } },
  { use: "prefix-tuning", with: { numVirtualTokens: 2 } },
  { use: "houlsby", with: { reductionFactor: 4 } },
  { use: "pfeiffer", with: { reductionFactor: 4 } },
  { use: "parallel", with: { reductionFactor: 4 } },
  { use: "reft", with: { r: 2, dropout: 0 } },
  { use: "bitfit" },
  { use: "freeze", with: { trainLastLayers: 1 } },
  { use: "full" },
];

/** The least that must hold where an adapter is not refused: it learns, comes back as it was, and merges as it computes. */
export function assertOutcome(outcome: Outcome, name: string): void {
  if ("refused" in outcome) return;
  const { learnt, reloaded = 0, merged = 0 } = outcome;
  assert.ok(Number.isFinite(learnt) && learnt !== 0, `${name} learns: ${learnt}`);
  assert.ok(reloaded < 1e-5, `${name} comes back: ${reloaded}`);
  assert.ok(merged < 2e-5, `${name} merges: ${merged}`);
}

/** Families whose layers or code leave an adapter no place, and those that no library names default modules for. */
export const refusals: Named<readonly string[]> = {
  lora: ["xlnet"],
  dora: ["xlnet"],
  adalora: ["xlnet"],
  vera: ["xlnet"],
  ia3: ["modernbert", "xlnet", "phi3"],
  "ln-tuning": ["modernbert", "xlnet", "phi3"],
  "prefix-tuning": ["albert", "xlnet"],
  // Families without a bias.
  bitfit: ["llama", "mistral", "qwen3", "gemma2", "gemma3", "phi3", "t5"],
};

/**
 * A GGUF file as a checkpoint: its config, its weights under Hugging Face's names, its tokenizer and chat template.
 * @module
 */
import { badFile, missing, unsupported } from "../../core/errors.ts";
import { sha256 } from "../../core/fingerprint.ts";
import { type GgufFile, openGguf } from "../../core/gguf/file.ts";
import { sizeOf, type Tensor } from "../../core/tensor.ts";
import type { Checkpoint, Host, Json, Named, Store, Weights } from "../../core/types.ts";
import { ggufTokenizer } from "./gguf_tokenizer.ts";

/** A file is hashed in pieces of so many bytes. */
const PIECE = 16 * 2 ** 20;

/** Architectures that are read, and how their layers differ from Llama's. `pairs`: queries and keys stand in rotary pairs. */
const architectures: Readonly<Record<string, Readonly<{ pairs: boolean; config: Named<Json> }>>> = {
  llama: { pairs: true, config: { model_type: "llama", architectures: ["LlamaForCausalLM"] } },
  qwen2: { pairs: false, config: { model_type: "qwen2", architectures: ["Qwen2ForCausalLM"] } },
  qwen3: { pairs: false, config: { model_type: "qwen3", architectures: ["Qwen3ForCausalLM"] } },
};

/** Names of a layer's parts there and here. */
const layerNames: Readonly<Record<string, string>> = {
  attn_norm: "input_layernorm",
  attn_q: "self_attn.q_proj",
  attn_k: "self_attn.k_proj",
  attn_v: "self_attn.v_proj",
  attn_output: "self_attn.o_proj",
  attn_q_norm: "self_attn.q_norm",
  attn_k_norm: "self_attn.k_norm",
  ffn_norm: "post_attention_layernorm",
  ffn_gate: "mlp.gate_proj",
  ffn_up: "mlp.up_proj",
  ffn_down: "mlp.down_proj",
};
const names: Readonly<Record<string, string>> = {
  token_embd: "model.embed_tokens",
  output_norm: "model.norm",
  output: "lm_head",
};
/** What a file has beside weights: angles are computed from the config. */
const unread: ReadonlySet<string> = new Set(["rope_freqs.weight"]);

/** Opens a file's checkpoint. Throws AttuneError where it is of an architecture or a tokenizer that is not read. */
export async function ggufCheckpoint(path: string, host: Host, more: Named<Json>): Promise<Checkpoint> {
  const resolved = host.resolve?.(path) ?? path;
  const cut = Math.max(resolved.lastIndexOf("/"), resolved.lastIndexOf("\\"));
  const [folder, key] = cut < 0 ? [".", resolved] : [resolved.slice(0, cut) || "/", resolved.slice(cut + 1)];
  const store = host.directory?.(folder);
  if (!store) throw missing("pretrained", "access to files", host.runtime);
  const file = await openGguf(store, key);
  const architecture = String(file.metadata["general.architecture"]);
  const known = Object.hasOwn(architectures, architecture) ? architectures[architecture] : undefined;
  if (!known) {
    const all = Object.keys(architectures).join(", ");
    throw unsupported(
      "pretrained",
      `${path}: general.architecture`,
      architecture,
      `architectures that are read: ${all}`,
    );
  }
  const weights = weightsOf(file, key, known.pairs);
  const config = configOf(file, architecture, weights);
  const own = { ...config, ...await slowerAngles(file, Number(config.rope_theta)), ...known.config };
  const label = host.labels?.[path] ?? path;
  const written = new Map(
    Object.entries({ ...ggufTokenizer(file.metadata), "config.json": own }).map(([name, value]) => [
      name,
      new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value)),
    ]),
  );
  let known_: Promise<string> | undefined;
  return {
    config: { ...own, ...more },
    files: heldFiles(written),
    weights,
    label,
    fingerprint: () => known_ ??= hashed(store, key),
  };
}

async function hashed(store: Store, key: string): Promise<string> {
  const digests: string[] = [];
  const size = (await store.get(key, { offset: 0, length: 0 }))?.size ?? 0;
  for (let offset = 0; offset < size; offset += PIECE) {
    const piece = await store.get(key, { offset, length: PIECE });
    if (!piece) throw missing("pretrained", key, "the folder");
    digests.push(await sha256(piece.bytes));
  }
  return await sha256(digests.join("\n"));
}

/** Files that are in memory. */
function heldFiles(files: ReadonlyMap<string, Uint8Array>): Store {
  const stored = (key: string, bytes: Uint8Array) => ({ key, size: bytes.length, revision: "1" });
  return {
    get: (key, range) => {
      const bytes = files.get(key);
      if (!bytes) return Promise.resolve(undefined);
      const part = range ? bytes.subarray(range.offset, range.offset + range.length) : bytes;
      return Promise.resolve({ ...stored(key, bytes), bytes: part });
    },
    put: () => Promise.resolve("conflict"),
    delete: () => Promise.resolve("conflict"),
    list: async function* (prefix) {
      for (const [key, bytes] of files) if (key.startsWith(prefix)) yield stored(key, bytes);
    },
  };
}

/** The name here of a tensor there. */
function nameOf(name: string): string | undefined {
  const [, layer, part = "", end = ""] = /^(?:blk\.(\d+)\.)?(.+)\.(weight|bias)$/.exec(name) ?? [];
  const own = layer === undefined ? names[part] : layerNames[part];
  if (own === undefined) return undefined;
  return layer === undefined ? `${own}.${end}` : `model.layers.${layer}.${own}.${end}`;
}

function weightsOf(file: GgufFile, key: string, pairs: boolean): Weights {
  const sources = new Map<string, string>();
  for (const name of file.tensors.keys()) {
    if (unread.has(name)) continue;
    const own = nameOf(name);
    if (own === undefined) throw unsupported("pretrained", `${key}: tensor`, name, "it is none of its architecture's");
    sources.set(own, name);
  }
  const { metadata } = file;
  const heads = (name: string): number => Number(metadata[`${metadata["general.architecture"]}.attention.${name}`]);
  return {
    names: [...sources.keys()],
    label: key,
    read: async (name) => {
      const source = sources.get(name);
      if (source === undefined) throw missing("pretrained", `tensor "${name}"`, key);
      const tensor = await file.read(source);
      if (!pairs || !/_(q|k)_proj\.|\.(q|k)_proj\./.test(name)) return tensor;
      const count = name.includes("q_proj") ? heads("head_count") : heads("head_count_kv") || heads("head_count");
      return halves(tensor, count);
    },
    locate: (name) => {
      const tensor = file.tensors.get(sources.get(name) ?? "");
      if (!tensor) return undefined;
      const { dims } = tensor;
      return { file: undefined, offset: 0, bytes: 4 * sizeOf(dims), dtype: "float32", dims };
    },
  };
}

/** Rows of each head as rotary halves, where they stand in pairs. */
function halves({ dims, data }: Tensor<Float32Array>, heads: number): Tensor<Float32Array> {
  const [rows = 0, ...rest] = dims;
  const width = sizeOf(rest);
  const half = rows / heads / 2;
  if (!Number.isInteger(half)) throw badFile("pretrained", "attention.head_count", `is ${heads} of ${rows} rows`);
  const out = new Float32Array(data.length);
  for (let head = 0; head < heads; head++) {
    for (let i = 0; i < half; i++) {
      for (const side of [0, 1]) {
        const from = (head * half + i) * 2 + side;
        const to = (head * 2 + side) * half + i;
        out.set(data.subarray(from * width, (from + 1) * width), to * width);
      }
    }
  }
  return { dtype: "float32", dims, data: out };
}

/** What Llama 3.1 made its angles slower by, which a file has as a factor of each. */
const LLAMA3 = { low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };

/** The scaling of angles that a file's factors stand for. Throws AttuneError where they are none of Llama 3.1's. */
async function slowerAngles(file: GgufFile, theta: number): Promise<Named<Json>> {
  if (!file.tensors.has("rope_freqs.weight")) return {};
  const { data } = await file.read("rope_freqs.weight");
  const factor = Math.round(Math.max(...data));
  const { low_freq_factor: low, high_freq_factor: high, original_max_position_embeddings: length } = LLAMA3;
  const isRight = data.every((found, i) => {
    const waves = length / (2 * Math.PI * theta ** (i / data.length));
    const smooth = Math.min(1, Math.max(0, (waves - low) / (high - low)));
    return Math.abs(found * ((1 - smooth) / factor + smooth) - 1) < 1e-3;
  });
  if (!isRight) {
    throw unsupported(
      "pretrained",
      "tensor",
      "rope_freqs.weight",
      "factors of angles are read where they are Llama 3.1's",
    );
  }
  return { rope_scaling: { rope_type: "llama3", factor, ...LLAMA3 } };
}

/** The config that transformers makes of a file. */
function configOf({ metadata, tensors }: GgufFile, architecture: string, weights: Weights): Named<Json> {
  const own = (name: string): Json | undefined => metadata[`${architecture}.${name}`];
  const number = (name: string): number => {
    const value = own(name);
    if (typeof value !== "number") throw missing("pretrained", `${architecture}.${name}`, "the GGUF file");
    return value;
  };
  const heads = number("attention.head_count");
  const hidden = number("embedding_length");
  const scaling = own("rope.scaling.type");
  if (scaling !== undefined && scaling !== "none") {
    throw unsupported(
      "pretrained",
      `${architecture}.rope.scaling.type`,
      scaling,
      "scaled angles of GGUF files are not read",
    );
  }
  const head = own("attention.key_length") ?? own("rope.dimension_count");
  const tokens = metadata["tokenizer.ggml.tokens"];
  const id = (name: string): Json => metadata[`tokenizer.ggml.${name}_token_id`] ?? null;
  return {
    hidden_size: hidden,
    intermediate_size: number("feed_forward_length"),
    num_hidden_layers: number("block_count"),
    num_attention_heads: heads,
    num_key_value_heads: Number(own("attention.head_count_kv") ?? heads),
    ...(typeof head === "number" ? { head_dim: head } : {}),
    max_position_embeddings: number("context_length"),
    // As it was written: single precision has more digits than there were.
    rms_norm_eps: Number(number("attention.layer_norm_rms_epsilon").toPrecision(7)),
    rope_theta: Number(own("rope.freq_base") ?? 10000),
    vocab_size: weights.locate("model.embed_tokens.weight")?.dims[0] ?? (Array.isArray(tokens) ? tokens.length : 0),
    tie_word_embeddings: !tensors.has("output.weight"),
    bos_token_id: id("bos"),
    eos_token_id: id("eos"),
    pad_token_id: id("padding"),
  };
}

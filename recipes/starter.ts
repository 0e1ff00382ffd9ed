/**
 * Small generative models to start from if none is given: parts that they share with `attune:base` start with its
 * weights (Rothe, Narayan & Severyn 2020), the rest is random.
 */
import { writeSafetensors } from "../core/files/safetensors.ts";
import { f32, type Tensor } from "../core/base/tensor.ts";
import type { Host, Json, Named } from "../core/types.ts";
import { pretrained } from "../plugins/models/pretrained.ts";
import { completeWeights } from "./base/complete_weights.ts";
import { jsonBytes } from "../core/base/bytes.ts";

/** Writes a turn as "user: ..." and ends it with the end-of-text token. */
const chatTemplate = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}[SEP]{% endfor %}" +
  "{% if add_generation_prompt %}assistant:{% endif %}";

/** Writes a model's directory with the base's tokenizer. `rename`: the base's tensors by the model's names. */
async function start(
  host: Host,
  directory: string,
  config: (base: Named<Json>) => Named<Json>,
  rename: (name: string) => readonly string[],
  change: (name: string, tensors: Named<Tensor<Float32Array>>) => Tensor<Float32Array> | undefined = () => undefined,
): Promise<string> {
  const base = await pretrained({ path: "attune:base" }).open(host);
  const store = host.directory?.(directory);
  if (!store) throw new Error("This recipe needs access to files");
  const read: Record<string, Tensor<Float32Array>> = {};
  for (const name of base.weights.names) read[name.replace(/^bert\./, "")] = await base.weights.read(name);
  const tensors: Record<string, Tensor<Float32Array>> = {};
  for (const [name, tensor] of Object.entries(read)) {
    for (const renamed of rename(name)) tensors[renamed] = change(name, read) ?? tensor;
  }
  const file = async (name: string): Promise<Uint8Array> => (await base.files.get(name))?.bytes ?? jsonBytes({});
  const tokenizer = JSON.parse(new TextDecoder().decode(await file("tokenizer_config.json"))) as Named<Json>;
  await store.put("tokenizer.json", await file("tokenizer.json"));
  await store.put("tokenizer_config.json", jsonBytes({ ...tokenizer, chat_template: chatTemplate }));
  const studentConfig = config(base.config);
  await store.put("config.json", jsonBytes(studentConfig));
  await store.put("model.safetensors", writeSafetensors(await completeWeights(host, studentConfig, tensors)));
  return directory;
}

/** Writes a Llama of two random layers with the word vectors of `attune:base`, and returns its path. */
export async function starterDecoder(host: Host, directory: string): Promise<string> {
  return await start(
    host,
    directory,
    ({ hidden_size, vocab_size, max_position_embeddings }) => ({
      model_type: "llama",
      architectures: ["LlamaForCausalLM"],
      hidden_size: hidden_size ?? 0,
      vocab_size: vocab_size ?? 0,
      max_position_embeddings: max_position_embeddings ?? 0,
      num_hidden_layers: 2,
      num_attention_heads: 6,
      intermediate_size: 768,
      hidden_act: "silu",
      rms_norm_eps: 1e-6,
      tie_word_embeddings: true,
      bos_token_id: 2,
      eos_token_id: 3,
      pad_token_id: 0,
    }),
    (name) => (name === "embeddings.word_embeddings.weight" ? ["model.embed_tokens.weight"] : []),
  );
}

/** Parts of a BERT layer with their names in BART. */
const parts: readonly (readonly [bert: string, bart: string])[] = [
  ["attention.self.query", "self_attn.q_proj"],
  ["attention.self.key", "self_attn.k_proj"],
  ["attention.self.value", "self_attn.v_proj"],
  ["attention.output.dense", "self_attn.out_proj"],
  ["attention.output.LayerNorm", "self_attn_layer_norm"],
  ["intermediate.dense", "fc1"],
  ["output.dense", "fc2"],
  ["output.LayerNorm", "final_layer_norm"],
];

/** Writes a BART whose encoder, and initially its decoder's layers, are `attune:base`; cross-attention is random. */
export async function starterSeq2seq(host: Host, directory: string): Promise<string> {
  const sides = ["encoder", "decoder"];
  return await start(
    host,
    directory,
    (base) => ({
      model_type: "bart",
      architectures: ["BartForConditionalGeneration"],
      d_model: base.hidden_size ?? 0,
      vocab_size: base.vocab_size ?? 0,
      max_position_embeddings: base.max_position_embeddings ?? 0,
      ...Object.fromEntries(sides.flatMap((side) => [
        [`${side}_layers`, base.num_hidden_layers ?? 0],
        [`${side}_attention_heads`, base.num_attention_heads ?? 0],
        [`${side}_ffn_dim`, base.intermediate_size ?? 0],
      ])),
      activation_function: base.hidden_act ?? "gelu",
      dropout: 0.1,
      init_std: 0.02,
      is_encoder_decoder: true,
      bos_token_id: 2,
      eos_token_id: 3,
      decoder_start_token_id: 3,
      pad_token_id: 0,
    }),
    (name) => {
      if (name === "embeddings.word_embeddings.weight") return ["model.shared.weight"];
      if (name === "embeddings.position_embeddings.weight") {
        return sides.map((side) => `model.${side}.embed_positions.weight`);
      }
      const norm = /^embeddings\.LayerNorm\.(\w+)$/.exec(name)?.[1];
      if (norm !== undefined) return sides.map((side) => `model.${side}.layernorm_embedding.${norm}`);
      const [, layer, part, kind] = /^encoder\.layer\.(\d+)\.(.+)\.(weight|bias)$/.exec(name) ?? [];
      const bertPart = parts.find(([bert]) => bert === part)?.[1];
      return bertPart === undefined ? [] : sides.map((side) => `model.${side}.layers.${layer}.${bertPart}.${kind}`);
    },
    (name, tensors) => (name === "embeddings.position_embeddings.weight" ? positions(tensors) : undefined),
  );
}

/** Returns BART's positions, which start after two rows; BERT's first token type is added, since BART has no types. */
function positions(tensors: Named<Tensor<Float32Array>>): Tensor<Float32Array> | undefined {
  const [table, types] = [
    tensors["embeddings.position_embeddings.weight"],
    tensors["embeddings.token_type_embeddings.weight"],
  ];
  if (!table || !types) return undefined;
  const [rows = 0, width = 1] = table.dims;
  const data = new Float32Array((rows + 2) * width);
  data.set(table.data, 2 * width);
  for (let i = 2 * width; i < data.length; i++) data[i] = (data[i] ?? 0) + (types.data[i % width] ?? 0);
  return f32([rows + 2, width], data);
}

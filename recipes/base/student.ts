/** The student before training: config, vocabulary, and word vectors derived from the teacher's. */
import { createRandom, fillNormal } from "../../core/math/random.ts";
import { openWeights, writeSafetensors } from "../../core/files/safetensors.ts";
import { f32 } from "../../core/base/tensor.ts";
import type { Host, Json, Named } from "../../core/types.ts";
import { hf } from "../../plugins/tokenizers/hf.ts";
import { trainWordPiece } from "../../plugins/tokenizers/hf/train_word_piece.ts";
import { completeWeights } from "./complete_weights.ts";
import { jsonBytes } from "../../core/base/bytes.ts";

/** Inputs of making the student. */
export type StudentOptions = Readonly<
  { texts: Iterable<string>; vocabSize: number; teacher: string; directory: string }
>;

/** Config of three layers with the teacher's hidden size, but a smaller intermediate size. */
export const studentConfig: Named<Json> = {
  architectures: ["BertModel"],
  model_type: "bert",
  hidden_size: 384,
  num_hidden_layers: 3,
  num_attention_heads: 12,
  intermediate_size: 1024,
  max_position_embeddings: 256,
  type_vocab_size: 2,
  hidden_act: "gelu",
  hidden_dropout_prob: 0.1,
  attention_probs_dropout_prob: 0.1,
  layer_norm_eps: 1e-12,
  initializer_range: 0.02,
  pad_token_id: 0,
};

/**
 * Writes the student's directory. A token's vector starts as the mean of the teacher's vectors for the same characters,
 * so that words have a meaning from the first step.
 */
export async function makeStudent(host: Host, { texts, vocabSize, teacher, directory }: StudentOptions): Promise<void> {
  const store = host.directory?.(directory);
  const files = host.directory?.(teacher);
  if (!store || !files) throw new Error("This recipe needs access to files");
  const { tokenizerJson, tokenizerConfig } = trainWordPiece(texts, { vocabSize, minFrequency: 3, limitAlphabet: 200 });
  const vocab = (tokenizerJson.model as { vocab: Named<number> }).vocab;
  const put = (name: string, value: Json) => store.put(name, jsonBytes(value));
  await put("tokenizer.json", tokenizerJson);
  await put("tokenizer_config.json", {
    ...tokenizerConfig,
    model_max_length: studentConfig.max_position_embeddings ?? 256,
  });
  const config = { ...studentConfig, vocab_size: Object.keys(vocab).length };
  await put("config.json", config);

  const tokenizer = await hf().open(files);
  const weights = await openWeights(files);
  const prefix = weights.names.some((name) => name.startsWith("bert.")) ? "bert." : "";
  const table = await weights.read(`${prefix}embeddings.word_embeddings.weight`);
  const positions = await weights.read(`${prefix}embeddings.position_embeddings.weight`);
  const width = table.dims[1] ?? 0;
  const words = new Float32Array(Object.keys(vocab).length * width);
  fillNormal(createRandom(42).fork("words"), words, 0.02);
  for (const [token, id] of Object.entries(vocab)) {
    const { specialTokenIds: special } = tokenizer;
    const specialIds = { "[PAD]": special.pad, "[UNK]": special.unk, "[CLS]": special.cls, "[SEP]": special.sep };
    const known = (specialIds as Named<number | undefined>)[token];
    const pieces = known === undefined
      ? tokenizer.encode(token.replace(/^##/, ""), { addSpecialTokens: false })[0].ids
      : Int32Array.of(known);
    if (pieces.length === 0 || token === "[MASK]") continue;
    const row = words.subarray(id * width, (id + 1) * width).fill(0);
    for (const piece of pieces) {
      for (let j = 0; j < width; j++) row[j] = (row[j] ?? 0) + (table.data[piece * width + j] ?? 0) / pieces.length;
    }
  }
  const count = Number(studentConfig.max_position_embeddings);
  const taken = {
    "bert.embeddings.word_embeddings.weight": f32([words.length / width, width], words),
    "bert.embeddings.position_embeddings.weight": f32([count, width], positions.data.slice(0, count * width)),
  };
  await store.put("model.safetensors", writeSafetensors(await completeWeights(host, config, taken, teacher)));
}

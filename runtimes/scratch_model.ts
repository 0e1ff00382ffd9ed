/**
 * A model to train from scratch: a config and a vocabulary made from texts, as a directory.
 * @module
 */
import type { Dataset, Host, Json, Named } from "../core/types.ts";
import { trainWordPiece } from "../plugins/tokenizers/train_word_piece.ts";

/** What the model is made from. `config` may replace fields. */
export type ScratchModelOptions = Readonly<
  { rows: Dataset; directory: string; vocabSize?: number; config?: Named<Json> }
>;

/** Writes config.json and tokenizer files of a small BERT whose vocabulary comes from the rows' `text`; gives the directory. */
export async function scratchModel(
  host: Host,
  { rows, directory, vocabSize = 4000, config }: ScratchModelOptions,
): Promise<string> {
  const texts: string[] = [];
  for await (const { row } of (await rows.open(host)).read()) if (typeof row.text === "string") texts.push(row.text);
  const { tokenizerJson, tokenizerConfig } = trainWordPiece(texts, { vocabSize });
  const vocab = (tokenizerJson.model as { vocab: object }).vocab;
  const store = host.directory?.(directory);
  const write = (name: string, value: Json) => store?.put(name, new TextEncoder().encode(JSON.stringify(value)));
  await write("tokenizer.json", tokenizerJson);
  await write("tokenizer_config.json", tokenizerConfig);
  await write("config.json", {
    model_type: "bert",
    vocab_size: Object.keys(vocab).length,
    hidden_size: 128,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    intermediate_size: 256,
    max_position_embeddings: 128,
    type_vocab_size: 2,
    hidden_dropout_prob: 0.1,
    attention_probs_dropout_prob: 0.1,
    layer_norm_eps: 1e-12,
    initializer_range: 0.02,
    pad_token_id: 0,
    hidden_act: "gelu",
    ...config,
  });
  return directory;
}

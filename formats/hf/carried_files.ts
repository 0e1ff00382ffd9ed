/** Files of a model that go along unchanged if its weights are written anew. */

/** Vocabularies that stand for tokenizer.json in checkpoints that have none. */
export const vocabularyFiles: readonly string[] = [
  "vocab.json",
  "merges.txt",
  "vocab.txt",
  "spiece.model",
  "tokenizer.model",
  "sentencepiece.bpe.model",
  "spm.model",
];

/** Their names in a checkpoint's directory. */
export const carriedFiles: readonly string[] = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  ...vocabularyFiles,
  "chat_template.jinja",
  "additional_chat_templates/tool_use.jinja",
  "generation_config.json",
];

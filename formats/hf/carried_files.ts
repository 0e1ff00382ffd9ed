/** Files of a checkpoint that are copied unchanged when its weights are rewritten. */

/** Vocabulary files, which checkpoints without a tokenizer.json have instead. */
export const vocabularyFiles: readonly string[] = [
  "vocab.json",
  "merges.txt",
  "vocab.txt",
  "spiece.model",
  "tokenizer.model",
  "sentencepiece.bpe.model",
  "spm.model",
];

/** Names of the copied files in a checkpoint's directory. */
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

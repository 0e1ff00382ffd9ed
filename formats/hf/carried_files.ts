/**
 * Files of a model that go along unchanged if its weights are written anew.
 * @module
 */

/** Their names in a checkpoint's directory. */
export const carriedFiles: readonly string[] = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "vocab.txt",
  "chat_template.jinja",
  "generation_config.json",
];

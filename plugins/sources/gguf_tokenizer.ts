/**
 * The tokenizer of a GGUF file as Hugging Face's files.
 * @module
 */
import { missing, unsupported } from "../../core/errors.ts";
import type { Json, Named } from "../../core/types.ts";

const byteLevel = (regex: boolean): Named<Json> => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: regex,
});
const splitBy = (pattern: string): Named<Json> => ({
  type: "Split",
  pattern: { Regex: pattern },
  behavior: "Isolated",
  invert: false,
});
const sequence = (...pretokenizers: Named<Json>[]): Named<Json> => ({ type: "Sequence", pretokenizers });
const words = (digits: string): string =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;

const plain = byteLevel(true);
const digits = sequence({ type: "Digits", individual_digits: true }, plain);
const llama3 = sequence(splitBy(words("\\p{N}{1,3}")), byteLevel(false));
const qwen = sequence(splitBy(words("\\p{N}")), byteLevel(false));

/** llama.cpp's pre-tokenizers by name. */
const preTokenizers: Readonly<Record<string, Named<Json>>> = {
  "gpt-2": plain,
  "phi-2": plain,
  smollm: digits,
  starcoder: digits,
  refact: digits,
  "command-r": digits,
  "llama-bpe": llama3,
  llama3,
  "llama-v3": llama3,
  qwen2: qwen,
  "deepseek-r1-qwen": qwen,
};

/** Types of tokens: what the template writes, and what others have added. */
const [CONTROL, USER_DEFINED] = [3, 4];

/** tokenizer.json, tokenizer_config.json and generation_config.json. Throws AttuneError where it is of a kind that is not read. */
export function ggufTokenizer(metadata: Named<Json>): Named<Json> {
  const own = (name: string): Json | undefined => metadata[`tokenizer.ggml.${name}`];
  const [model, pre] = [own("model"), own("pre")];
  if (model !== "gpt2") {
    throw unsupported("pretrained", "tokenizer.ggml.model", model, "byte-level vocabularies (gpt2) are read");
  }
  const preTokenizer = typeof pre === "string" && Object.hasOwn(preTokenizers, pre) ? preTokenizers[pre] : undefined;
  if (!preTokenizer) {
    const allowed = `pre-tokenizers that are read: ${Object.keys(preTokenizers).join(", ")}`;
    throw unsupported("pretrained", "tokenizer.ggml.pre", pre, allowed);
  }
  const [tokens, types, merges] = [own("tokens"), own("token_type"), own("merges")];
  if (!Array.isArray(tokens) || !Array.isArray(merges)) {
    throw missing("pretrained", "tokens and merges", "the GGUF file");
  }
  const kinds = Array.isArray(types) ? types : [];
  const added = tokens.flatMap((content, id): Json[] => {
    const special = kinds[id] === CONTROL;
    if (!special && kinds[id] !== USER_DEFINED) return [];
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }];
  });
  const named = Object.fromEntries(
    ([["bos", "bos"], ["eos", "eos"], ["unk", "unknown"], ["pad", "padding"]] as const).flatMap(([name, theirs]) => {
      const text = tokens[Number(own(`${theirs}_token_id`) ?? -1)];
      return typeof text === "string" ? [[`${name}_token`, text]] : [];
    }),
  );
  const bos = own("add_bos_token") === true ? named.bos_token : undefined;
  const eos = own("add_eos_token") === true ? named.eos_token : undefined;
  const template = metadata["tokenizer.chat_template"];
  return {
    "tokenizer.json": {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: added,
      normalizer: null,
      pre_tokenizer: preTokenizer,
      post_processor: around(bos, eos, tokens),
      decoder: byteLevel(true),
      model: {
        type: "BPE",
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: false,
        ignore_merges: preTokenizer === llama3,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges,
      },
    },
    "tokenizer_config.json": {
      tokenizer_class: "PreTrainedTokenizerFast",
      ...named,
      ...(typeof template === "string" ? { chat_template: template } : {}),
    },
    "generation_config.json": Object.fromEntries(
      ([["bos", "bos"], ["eos", "eos"], ["pad", "padding"]] as const).flatMap(([name, theirs]) => {
        const id = own(`${theirs}_token_id`);
        return id === undefined ? [] : [[`${name}_token_id`, id]];
      }),
    ),
  };
}

/** Special tokens in front of a text and behind it. */
function around(bos: Json | undefined, eos: Json | undefined, tokens: readonly Json[]): Json {
  if (bos === undefined && eos === undefined) return null;
  const special = (token: Json | undefined, type_id: number): Json[] =>
    token === undefined ? [] : [{ SpecialToken: { id: token, type_id } }];
  const text = (id: string, type_id: number): Json => ({ Sequence: { id, type_id } });
  const single = [...special(bos, 0), text("A", 0), ...special(eos, 0)];
  const ids = [bos, eos].filter((token) => token !== undefined);
  return {
    type: "TemplateProcessing",
    single,
    pair: [...single, ...special(bos, 1), text("B", 1), ...special(eos, 1)],
    special_tokens: Object.fromEntries(
      ids.map((token) => [String(token), { id: token, ids: [tokens.indexOf(token)], tokens: [token] }]),
    ),
  } as Json;
}

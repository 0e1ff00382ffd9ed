/** The tokenizer of a GGUF file, converted to Hugging Face's files. */
import { badFile, missing, show, unsupported } from "../../../../core/base/errors.ts";
import type { Json, Named } from "../../../../core/types.ts";
import { byteDecoder, preTokenizerNamed } from "./pre_tokenizers.ts";
import { likeliestPieces, type Parts, type Pieces, scoredPairs } from "./sentencepiece.ts";

/** Token types: the unknown token, tokens of the template, added tokens. */
const [UNKNOWN, CONTROL, USER_DEFINED] = [2, 3, 4];

/** Tokens that end generation, which some files do not mark as such. */
const ends = new Set(
  "<|eot_id|> <|im_end|> <|end|> <|return|> <|call|> <end_of_turn> <|endoftext|> </s> <|eom_id|> <EOT> [EOT] [EOS] <|end_of_text|> <eos>"
    .split(" "),
);

/** How a kind of vocabulary is read, and its defaults for what files do not say. */
type Kind = Readonly<{
  parts: Parts;
  ids: Readonly<{ bos?: number; eos?: number; unknown?: number; padding?: number }>;
  addsBos: boolean;
  addsEos: boolean;
}>;

/** tokenizer.json, tokenizer_config.json and generation_config.json. Throws AttuneError for an unsupported kind. */
export function ggufTokenizer(metadata: Named<Json>): Named<Json> {
  const valueOf = (name: string): Json | undefined => metadata[`tokenizer.ggml.${name}`];
  const tokens = tokensOf(valueOf("tokens"));
  const kind = kindOf(valueOf, tokens);
  const idOf = (name: "bos" | "eos" | "unknown" | "padding"): number | undefined => {
    const tokenId = valueOf(`${name}_token_id`);
    const id = typeof tokenId === "number" && tokenId >= 0 && tokenId < tokens.length ? tokenId : kind.ids[name];
    return id !== undefined && id < tokens.length ? id : undefined;
  };
  const named = Object.fromEntries(
    ([["bos", "bos"], ["eos", "eos"], ["unk", "unknown"], ["pad", "padding"]] as const).flatMap(([name, theirs]) => {
      const id = idOf(theirs);
      return id === undefined ? [] : [[`${name}_token`, tokens[id] as string]];
    }),
  );
  const flag = (name: string, otherwise: boolean): boolean => {
    const value = valueOf(name);
    return typeof value === "boolean" ? value : otherwise;
  };
  const around = template(
    flag("add_bos_token", kind.addsBos) ? idOf("bos") : undefined,
    flag("add_eos_token", kind.addsEos) ? idOf("eos") : undefined,
    tokens,
  );
  const chat = metadata["tokenizer.chat_template"];
  return {
    "tokenizer.json": {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: addedOf(valueOf("token_type"), tokens, metadata),
      post_processor: around,
      ...kind.parts,
    },
    "tokenizer_config.json": {
      tokenizer_class: "PreTrainedTokenizerFast",
      // Prevents a tokenizer class of the model type from replacing the file's steps.
      as_it_is: true,
      ...limitOf(metadata),
      ...named,
      ...(typeof chat === "string" ? { chat_template: chat } : {}),
    },
    "generation_config.json": generationOf(valueOf),
  };
}

function kindOf(valueOf: (name: string) => Json | undefined, tokens: readonly string[]): Kind {
  const model = valueOf("model");
  if (model === "gpt2") return byteLevel(valueOf, tokens);
  if (model !== "llama" && model !== "t5") {
    throw unsupported(
      "pretrained",
      "tokenizer.ggml.model",
      model,
      "supported: gpt2 (byte-level), llama and t5 (SentencePiece)",
    );
  }
  const id = valueOf("unknown_token_id");
  const scores = valueOf("scores");
  if (!Array.isArray(scores) || scores.length < tokens.length) {
    throw missing("pretrained", `tokenizer.ggml.scores of ${tokens.length} tokens`, "the GGUF file");
  }
  const isLlama = model === "llama";
  const pieces: Pieces = {
    tokens,
    scores: scores as number[],
    unknown: typeof id === "number" ? id : isLlama ? 0 : 2,
    prefix: valueOf("add_space_prefix") !== false,
    extra: valueOf("remove_extra_whitespaces") === true,
    charsmap: (valueOf("precompiled_charsmap") ?? []) as number[],
  };
  return isLlama
    ? { parts: scoredPairs(pieces), ids: { bos: 1, eos: 2, unknown: 0 }, addsBos: true, addsEos: false }
    : { parts: likeliestPieces(pieces), ids: { eos: 1, unknown: 2, padding: 0 }, addsBos: false, addsEos: true };
}

function byteLevel(valueOf: (name: string) => Json | undefined, tokens: readonly string[]): Kind {
  const { steps, ignoresMerges, addsBos } = preTokenizerNamed(valueOf("pre"));
  const merges = valueOf("merges");
  if (!Array.isArray(merges)) throw missing("pretrained", "tokenizer.ggml.merges", "the GGUF file");
  const model = {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: ignoresMerges,
    vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
    merges,
  };
  return {
    parts: { normalizer: null, pre_tokenizer: steps, decoder: byteDecoder, model },
    ids: {},
    addsBos,
    addsEos: false,
  };
}

/** Returns the vocabulary, after checking that tokens are distinct. */
function tokensOf(tokens: Json | undefined): readonly string[] {
  if (!Array.isArray(tokens) || !tokens.every((token) => typeof token === "string")) {
    throw missing("pretrained", "tokenizer.ggml.tokens, a list of texts,", "the GGUF file");
  }
  const seen = new Map<string, number>();
  return tokens.map((entry, id) => {
    // llama.cpp's name for an empty token.
    const token = entry === "" ? `[EMPTY_${id}]` : entry;
    const before = seen.get(token);
    if (before !== undefined) {
      throw badFile("pretrained", "tokenizer.ggml.tokens", `has ${show(token)} as token ${before} and ${id}`);
    }
    seen.set(token, id);
    return token;
  });
}

/** Returns the tokens that are matched in a text before everything else. */
function addedOf(types: Json | undefined, tokens: readonly string[], metadata: Named<Json>): Json[] {
  const kinds = Array.isArray(types) ? types : [];
  // Phi-3's added tokens strip the blanks after them, which no key says.
  const name = String(metadata["general.name"] ?? "").toLowerCase();
  const strips = name.includes("phi-3") || name.includes("phi3");
  return tokens.flatMap((content, id): Json[] => {
    const special = kinds[id] === CONTROL || kinds[id] === UNKNOWN || ends.has(content);
    if (!special && kinds[id] !== USER_DEFINED) return [];
    const rstrip = strips && !["<unk>", "<s>", "<|endoftext|>"].includes(content);
    return [{ id, content, single_word: false, lstrip: false, rstrip, normalized: false, special }];
  });
}

/** Returns the model's maximum length in tokens. */
function limitOf(metadata: Named<Json>): Named<Json> {
  const places = metadata[`${metadata["general.architecture"]}.context_length`];
  return typeof places === "number" ? { model_max_length: places } : {};
}

/** Returns the tokens that end generation: the end tokens of text, turn and message. */
function generationOf(own: (name: string) => Json | undefined): Named<Json> {
  const id = (name: string): number | undefined => {
    const id = own(`${name}_token_id`);
    return typeof id === "number" ? id : undefined;
  };
  const stops = [...new Set(["eos", "eot", "eom"].map(id).filter((given) => given !== undefined))];
  return {
    ...(id("bos") === undefined ? {} : { bos_token_id: id("bos") as number }),
    ...(stops.length === 0 ? {} : { eos_token_id: stops.length === 1 ? stops[0] as number : stops }),
    ...(id("padding") === undefined ? {} : { pad_token_id: id("padding") as number }),
  };
}

/** Returns the template of special tokens before and after a text. */
function template(bos: number | undefined, eos: number | undefined, tokens: readonly string[]): Json {
  if (bos === undefined && eos === undefined) return null;
  const special = (id: number | undefined, type_id: number): Json[] =>
    id === undefined ? [] : [{ SpecialToken: { id: tokens[id] as string, type_id } }];
  const text = (id: string, type_id: number): Json => ({ Sequence: { id, type_id } });
  const single = [...special(bos, 0), text("A", 0), ...special(eos, 0)];
  const used = [bos, eos].filter((id) => id !== undefined);
  return {
    type: "TemplateProcessing",
    single,
    pair: [...single, ...special(bos, 1), text("B", 1), ...special(eos, 1)],
    special_tokens: Object.fromEntries(
      used.map((id) => [tokens[id], { id: tokens[id], ids: [id], tokens: [tokens[id]] }]),
    ),
  } as Json;
}

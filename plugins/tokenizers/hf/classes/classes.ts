/**
 * transformers' tokenizer classes: the steps that each builds from a vocabulary and tokenizer_config.json, its default
 * special tokens, and its sides.
 */
import type { Json, Named } from "../../../../core/types.ts";
import type { ClassName } from "./class_names.ts";

type Part = Named<Json>;

/** The input from which a class builds a tokenizer. */
export type TokenizerFacts = Readonly<{
  /** tokenizer.json. */
  definition: Named<unknown>;
  /** Returns a setting by name, by default the class's. */
  setting: <T extends Json>(name: string, otherwise: T) => T;
  /** Returns the text of a special token, by the files or the class. */
  token: (name: string) => string;
  /** Returns the id of a token, known once the vocabulary is complete. */
  id: (token: string) => number | undefined;
}>;

/** A tokenizer class. */
export type TokenizerClass = Readonly<{
  /** Default special tokens; null: none, whatever tokenizer.json pads with. */
  special: Named<string | null>;
  paddingSide: "left" | "right";
  /** Whether models receive token types. */
  typeIds: boolean;
  /** The kind of vocabulary that it is built from; others stay as in tokenizer.json. */
  vocabulary: "map" | "list";
  /** Builds tokenizer.json's model, normalizer, pre_tokenizer and decoder. */
  build: (given: TokenizerFacts) => Part;
  /** Builds the class's own post-processor; absent: tokenizer.json's is used. */
  post?: (given: TokenizerFacts) => Part;
  /** The post-processor if neither the class nor tokenizer.json has one. */
  otherwise?: (given: TokenizerFacts) => Part;
  /** Further special tokens, if no file lists any. */
  extra?: (given: TokenizerFacts) => readonly string[];
  /** Flags of a special token by name, if only its text is known. */
  flags?: (name: string) => Readonly<{ lstrip: boolean }>;
  /** Whether all special tokens are added again, without flags. */
  readds?: true;
  /** Renumbers a SentencePiece vocabulary; absent: it stays as it is. */
  pieces?: (vocabulary: readonly Json[], given: Pick<TokenizerFacts, "setting" | "token">) => readonly Json[];
}>;

const tokenOf = (id: string, type: number): Part => ({ SpecialToken: { id, type_id: type } });
const textOf = (id: "A" | "B", type: number): Part => ({ Sequence: { id, type_id: type } });

/** Returns a template over texts "A" and "B" and special tokens, each with its type. */
function template(
  { id }: TokenizerFacts,
  single: readonly (readonly [string, number])[],
  pair: readonly (readonly [string, number])[],
): Part {
  const parts = (own: readonly (readonly [string, number])[]): Part[] =>
    own.map(([name, type]) => (name === "A" || name === "B" ? textOf(name, type) : tokenOf(name, type)));
  const names = new Set([...single, ...pair].map(([name]) => name).filter((name) => name !== "A" && name !== "B"));
  return {
    type: "TemplateProcessing",
    single: parts(single),
    pair: parts(pair),
    special_tokens: Object.fromEntries([...names].map((n) => [n, { id: n, ids: [id(n) ?? 0], tokens: [n] }])),
  };
}

const byteLevel = (prefix: boolean, regex = true): Part => ({
  type: "ByteLevel",
  add_prefix_space: prefix,
  trim_offsets: true,
  use_regex: regex,
});

function bytePair(definition: Named<unknown>, more: Part = {}): Part {
  const { vocab = {}, merges = [] } = definition.model as Part;
  return {
    type: "BPE",
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: "",
    end_of_word_suffix: "",
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    ...more,
    vocab,
    merges,
  };
}

function unigram(definition: Named<unknown>, unknown: number): Part {
  const { vocab = [] } = definition.model as Part;
  return { type: "Unigram", unk_id: unknown, vocab, byte_fallback: false };
}

const sequence = (list: string, parts: readonly Part[]): Part => ({ type: "Sequence", [list]: parts });
const replace = (from: string, content: string): Part => ({ type: "Replace", pattern: { String: from }, content });

/** SentencePiece's character for a blank. */
const BLANK = "\u2581";

const metaspace = (scheme: string, split = true): Part => ({
  type: "Metaspace",
  replacement: BLANK,
  prepend_scheme: scheme,
  split,
});
const words = (scheme: string): Part => sequence("pretokenizers", [{ type: "WhitespaceSplit" }, metaspace(scheme)]);

/** Returns SentencePiece's normalization table, if tokenizer.json has one. */
function charsmap(definition: Named<unknown>): Part[] {
  const normalizer = definition.normalizer as Part | null | undefined;
  if (!normalizer) return [];
  const list = normalizer.type === "Sequence" ? normalizer.normalizers as readonly Part[] : [normalizer];
  const precompiled = list.find((part) => part.type === "Precompiled" && part.precompiled_charsmap !== undefined);
  return precompiled ? [{ type: "Precompiled", precompiled_charsmap: precompiled.precompiled_charsmap ?? null }] : [];
}

/** Builds BERT's WordPiece steps from its settings. */
export function wordPieceParts({ definition, setting, token }: TokenizerFacts): Part {
  return {
    model: {
      type: "WordPiece",
      unk_token: token("unk_token"),
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: (definition.model as Part).vocab ?? {},
    },
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: setting("tokenize_chinese_chars", true),
      strip_accents: setting<boolean | null>("strip_accents", null),
      lowercase: setting("do_lower_case", true),
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
  };
}

/** Builds the steps of byte-level vocabularies. */
function gpt({ definition, setting }: TokenizerFacts): Part {
  return {
    model: bytePair(definition),
    normalizer: null,
    pre_tokenizer: byteLevel(setting("add_prefix_space", false)),
    decoder: byteLevel(true),
  };
}

/** Normalizes quotes, accents and case as for ALBERT's and XLNet's vocabularies. */
function folded(definition: Named<unknown>, accents: boolean, lower: boolean): Part {
  return sequence("normalizers", [
    replace("``", '"'),
    replace("''", '"'),
    ...(accents ? [] : [{ type: "NFKD" }, { type: "StripAccents" }]),
    ...(lower ? [{ type: "Lowercase" }] : []),
    ...charsmap(definition),
  ]);
}

const qwenPattern =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** Whether a vocabulary has all 256 tokens for byte fallback. */
function hasBytes(definition: Named<unknown>): boolean {
  const { vocab } = definition.model as { vocab?: Readonly<Record<string, unknown>> };
  return Array.from({ length: 256 }, (_, i) => `<0x${i.toString(16).toUpperCase().padStart(2, "0")}>`)
    .every((token) => vocab !== undefined && Object.hasOwn(vocab, token));
}

const fallback = (definition: Named<unknown>): Part =>
  bytePair(definition, {
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: true,
    byte_fallback: hasBytes(definition),
  });

const unblanked: readonly Part[] = [replace(BLANK, " "), { type: "ByteFallback" }, { type: "Fuse" }];

const endoftext = "<|endoftext|>";
const right = { paddingSide: "right", typeIds: false } as const;
const angled = {
  bos_token: "<s>",
  eos_token: "</s>",
  sep_token: "</s>",
  cls_token: "<s>",
  unk_token: "<unk>",
  pad_token: "<pad>",
  mask_token: "<mask>",
};

const bert: TokenizerClass = {
  ...right,
  special: {
    unk_token: "[UNK]",
    sep_token: "[SEP]",
    pad_token: "[PAD]",
    cls_token: "[CLS]",
    mask_token: "[MASK]",
  },
  typeIds: true,
  vocabulary: "map",
  build: wordPieceParts,
  post: (facts) => {
    const [cls, sep] = [facts.token("cls_token"), facts.token("sep_token")];
    const single = [[cls, 0], ["A", 0], [sep, 0]] as const;
    return template(facts, single, [...single, ["B", 1], [sep, 1]]);
  },
};

/** Returns the position of a token in a scored vocabulary, with a given score if there is one. */
function placeOf(definition: Named<unknown>, token: string, score?: number): number | undefined {
  const { vocab = [] } = definition.model as { vocab?: readonly (readonly [string, number])[] };
  const at = vocab.findIndex(([text, own]) => text === token && (score === undefined || own === score));
  return at < 0 ? undefined : at;
}

/** fairseq's SentencePiece vocabularies; `unknown`: the position of the unknown token. */
const fairseq = (unknown: (given: TokenizerFacts) => number) =>
  ({
    ...right,
    special: angled,
    vocabulary: "list",
    build: (given) => {
      const scheme = given.setting("add_prefix_space", true) ? "always" : "never";
      return {
        model: unigram(given.definition, unknown(given)),
        normalizer: charsmap(given.definition)[0] ?? null,
        pre_tokenizer: words(scheme),
        decoder: metaspace(scheme),
      };
    },
    post: (facts) => {
      const [bos, eos] = [facts.token("bos_token"), facts.token("eos_token")];
      const single = [[bos, 0], ["A", 0], [eos, 0]] as const;
      return template(facts, single, [...single, [eos, 0], ["B", 0], [eos, 0]]);
    },
  }) satisfies TokenizerClass;

/** All tokenizer classes by name. */
export const tokenizerClasses: Readonly<Record<Exclude<ClassName, "backend">, TokenizerClass>> = {
  bert,
  distilbert: { ...bert, typeIds: false },
  roberta: {
    ...right,
    special: angled,
    vocabulary: "map",
    build: gpt,
    post: ({ setting, token, id }) => ({
      type: "RobertaProcessing",
      sep: [token("sep_token"), id(token("sep_token")) ?? 0],
      cls: [token("cls_token"), id(token("cls_token")) ?? 0],
      trim_offsets: setting("trim_offsets", true),
      add_prefix_space: setting("add_prefix_space", false),
    }),
  },
  albert: {
    ...right,
    special: {
      ...angled,
      bos_token: "[CLS]",
      eos_token: "[SEP]",
      sep_token: "[SEP]",
      cls_token: "[CLS]",
      mask_token: "[MASK]",
    },
    vocabulary: "list",
    build: ({ definition, setting }) => {
      const scheme = setting("add_prefix_space", true) ? "always" : "never";
      return {
        model: unigram(definition, 1),
        normalizer: folded(definition, setting("keep_accents", false), setting("do_lower_case", true)),
        pre_tokenizer: words(scheme),
        decoder: metaspace(scheme),
      };
    },
    // The texts are the class's, but the ids are those of the tokens in files.
    otherwise: (facts) => {
      const id = (text: string): number | undefined =>
        facts.id(facts.token(text === "[CLS]" ? "cls_token" : "sep_token"));
      const single = [["[CLS]", 0], ["A", 0], ["[SEP]", 0]] as const;
      return template({ ...facts, id }, single, [...single, ["B", 1], ["[SEP]", 1]]);
    },
  },
  gpt2: {
    ...right,
    special: { unk_token: endoftext, bos_token: endoftext, eos_token: endoftext, pad_token: null },
    vocabulary: "map",
    build: gpt,
  },
  codegen: {
    ...right,
    special: { unk_token: endoftext, bos_token: endoftext, eos_token: endoftext, pad_token: null },
    vocabulary: "map",
    build: gpt,
    otherwise: () => ({ type: "ByteLevel", add_prefix_space: true, trim_offsets: false, use_regex: true }),
  },
  llama: {
    ...right,
    special: { unk_token: "<unk>", bos_token: "<s>", eos_token: "</s>" },
    paddingSide: "left",
    vocabulary: "map",
    build: ({ definition, setting }) => {
      const prefix = setting<boolean | null>("add_prefix_space", null) ?? true;
      const scheme = !prefix ? "never" : setting<boolean | null>("legacy", false) ? "always" : "first";
      return {
        model: fallback(definition),
        normalizer: null,
        pre_tokenizer: metaspace(scheme, false),
        decoder: sequence("decoders", [
          ...unblanked,
          ...(prefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
        ]),
      };
    },
  },
  qwen2: {
    ...right,
    special: { unk_token: endoftext, eos_token: endoftext, pad_token: endoftext },
    readds: true,
    vocabulary: "map",
    build: ({ definition, setting }) => ({
      model: bytePair(definition),
      normalizer: { type: "NFC" },
      pre_tokenizer: sequence("pretokenizers", [
        { type: "Split", pattern: { Regex: qwenPattern }, behavior: "Isolated", invert: false },
        byteLevel(setting<boolean | null>("add_prefix_space", null) ?? false, false),
      ]),
      decoder: byteLevel(true),
    }),
  },
  gemma: {
    ...right,
    special: {
      unk_token: "<unk>",
      bos_token: "<bos>",
      eos_token: "<eos>",
      pad_token: "<pad>",
      mask_token: "<mask>",
    },
    paddingSide: "left",
    vocabulary: "map",
    build: ({ definition, token }) => ({
      model: { ...fallback(definition), unk_token: token("unk_token") },
      normalizer: replace(" ", BLANK),
      pre_tokenizer: { type: "Split", pattern: { String: " " }, behavior: "MergedWithPrevious", invert: false },
      decoder: sequence("decoders", unblanked),
    }),
  },
  t5: {
    ...right,
    special: { eos_token: "</s>", unk_token: "<unk>", pad_token: "<pad>" },
    vocabulary: "list",
    build: ({ definition }) => ({
      model: unigram(definition, 2),
      normalizer: charsmap(definition)[0] ?? null,
      pre_tokenizer: words("always"),
      decoder: metaspace("always"),
    }),
    // The end token's text is the class's, but its id is that of the end token.
    post: (facts) => {
      const own = { ...facts, id: () => facts.id(facts.token("eos_token")) };
      return template(own, [["A", 0], ["</s>", 0]], [["A", 0], ["</s>", 0], ["B", 0], ["</s>", 0]]);
    },
    extra: ({ setting }) => Array.from({ length: setting("extra_ids", 100) }, (_, i) => `<extra_id_${i}>`),
    pieces: (vocabulary, { setting }) => {
      const count = setting("extra_ids", 100);
      return [...vocabulary, ...Array.from({ length: count }, (_, i): Json => [`<extra_id_${count - 1 - i}>`, 0])];
    },
  },
  xlnet: {
    ...right,
    special: { ...angled, sep_token: "<sep>", cls_token: "<cls>" },
    paddingSide: "left",
    vocabulary: "list",
    build: ({ definition, setting }) => ({
      model: unigram(definition, setting("unk_id", 0)),
      normalizer: folded(definition, false, setting("do_lower_case", false)),
      pre_tokenizer: words("always"),
      decoder: metaspace("always"),
    }),
    post: (facts) => {
      const [cls, sep] = [facts.token("cls_token"), facts.token("sep_token")];
      const single = [["A", 0], [sep, 0]] as const;
      return template(facts, [...single, [cls, 2]], [...single, ["B", 1], [sep, 1], [cls, 2]]);
    },
    extra: () => ["<eop>", "<eod>"],
    flags: (name) => ({ lstrip: name === "mask_token" }),
  },
  "xlm-roberta": {
    ...fairseq(() => 3),
    pieces: (vocabulary, { token }) => [
      ...["bos_token", "pad_token", "eos_token", "unk_token"].map((name): Json => [token(name), 0]),
      ...vocabulary.slice(3),
      [token("mask_token"), 0],
    ],
  },
  camembert: {
    ...fairseq(({ definition, token }) => placeOf(definition, token("unk_token")) ?? 0),
    extra: () => ["<s>NOTUSED", "</s>NOTUSED", "<unk>NOTUSED"],
    flags: (name) => ({ lstrip: name === "mask_token" }),
    pieces: (vocabulary, { token }) => [
      ["<s>NOTUSED", 0],
      [token("pad_token"), 0],
      ["</s>NOTUSED", 0],
      [token("unk_token"), 0],
      ["<unk>NOTUSED", -100],
      ...vocabulary.slice(1),
      [token("mask_token"), 0],
    ],
  },
  "deberta-v2": {
    ...right,
    special: { ...bert.special, bos_token: "[CLS]", eos_token: "[SEP]" },
    typeIds: true,
    vocabulary: "list",
    build: ({ definition, setting, token }) => {
      const scheme = setting("add_prefix_space", true) ? "always" : "first";
      const punctuation: Part = { type: "Punctuation", behavior: "Isolated" };
      return {
        model: unigram(definition, placeOf(definition, token("unk_token"), 0) ?? setting("unk_id", 1)),
        normalizer: sequence("normalizers", [
          ...(setting("do_lower_case", false) ? [{ type: "Lowercase" }] : []),
          { type: "Replace", pattern: { Regex: "\\s{2,}|[\\n\\r\\t]" }, content: " " },
          { type: "NFC" },
          { type: "Strip", strip_left: false, strip_right: true },
        ]),
        pre_tokenizer: sequence("pretokenizers", [
          ...(setting("split_by_punct", false) ? [punctuation] : []),
          metaspace(scheme),
        ]),
        decoder: metaspace(scheme),
      };
    },
    post: bert.post!,
  },
  mpnet: {
    ...right,
    special: { ...angled, unk_token: "[UNK]" },
    flags: (name) => ({ lstrip: name === "mask_token" }),
    vocabulary: "map",
    build: wordPieceParts,
    post: ({ token, id }) => ({
      type: "RobertaProcessing",
      sep: [token("sep_token"), id(token("sep_token")) ?? 2],
      cls: [token("cls_token"), id(token("cls_token")) ?? 0],
      trim_offsets: true,
      add_prefix_space: false,
    }),
  },
};

/** Adds the begin and end tokens that the settings ask for, as transformers does by default. */
export function boundedTemplate(given: TokenizerFacts): Part {
  const bound = (setting: string, name: string, type: number): readonly (readonly [string, number])[] => {
    const token = given.setting(setting, false) ? given.token(name) : "";
    return token === "" || given.id(token) === undefined ? [] : [[token, type]];
  };
  const text = (name: "A" | "B", type: number): readonly (readonly [string, number])[] => [
    ...bound("add_bos_token", "bos_token", type),
    [name, type],
    ...bound("add_eos_token", "eos_token", type),
  ];
  return template(given, text("A", 0), [...text("A", 0), ...text("B", 1)]);
}

/** A template without special tokens, for classes without any post-processor. */
export const plainTemplate: Part = {
  type: "TemplateProcessing",
  single: [textOf("A", 0)],
  pair: [textOf("A", 0), textOf("B", 1)],
  special_tokens: {},
};

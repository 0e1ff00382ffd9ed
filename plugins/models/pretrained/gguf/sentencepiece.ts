/** SentencePiece vocabularies of GGUF files as parts of tokenizer.json: pieces with scores, and bytes for the rest. */
import { badFile } from "../../../../core/base/errors.ts";
import type { Json, Named } from "../../../../core/types.ts";

/** A file's pieces. `prefix`: whether to prepend a blank; `extra`: whether to collapse several blanks. */
export type Pieces = Readonly<{
  tokens: readonly string[];
  scores: readonly number[];
  unknown: number;
  prefix: boolean;
  extra: boolean;
  charsmap: readonly number[];
}>;

/** The parts of tokenizer.json that depend on the kind of vocabulary. */
export type Parts = Readonly<Record<"normalizer" | "pre_tokenizer" | "decoder" | "model", Json>>;

const BLANK = "\u2581";
const replace = (pattern: Json, content: string): Named<Json> => ({ type: "Replace", pattern, content });

/** Replaces blanks by their character in pieces, and prepends one if asked to. */
const blanked = (prefix: boolean): Named<Json>[] => [
  ...(prefix ? [{ type: "Prepend", prepend: BLANK }] : []),
  replace({ String: " " }, BLANK),
];

/** Byte-pair encoding by the scores of pieces: pairs that make a piece, highest score first. */
export function scoredPairs({ tokens, scores, unknown, prefix }: Pieces): Parts {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const made = tokens.map((_, id) => id).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b);
  const merges: [string, string][] = [];
  for (const id of made) {
    const token = tokens[id] as string;
    for (let at = 1; at < token.length; at++) {
      // Not inside of a surrogate pair.
      if ((token.codePointAt(at - 1) ?? 0) > 0xffff) continue;
      const left = token.slice(0, at);
      if (!ids.has(left)) continue;
      const right = token.slice(at);
      if (ids.has(right)) merges.push([left, right]);
    }
  }
  const whole = [
    replace({ String: BLANK }, " "),
    { type: "ByteFallback" },
    { type: "Fuse" },
    ...(prefix ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : []),
  ];
  return {
    normalizer: { type: "Sequence", normalizers: blanked(prefix) },
    pre_tokenizer: null,
    decoder: { type: "Sequence", decoders: whole },
    model: {
      type: "BPE",
      dropout: null,
      unk_token: tokens[unknown] ?? null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: true,
      byte_fallback: ids.has("<0x00>"),
      ignore_merges: false,
      vocab: Object.fromEntries(ids),
      merges,
    },
  };
}

/** The unigram model: the most likely pieces, as in T5. */
export function likeliestPieces({ tokens, scores, unknown, prefix, extra, charsmap }: Pieces): Parts {
  if (!tokens[unknown]) {
    throw badFile("pretrained", "tokenizer.ggml.unknown_token_id", `is ${unknown}, which is no token`);
  }
  return {
    normalizer: {
      type: "Sequence",
      normalizers: [
        ...(charsmap.length > 0
          ? [{
            type: "Precompiled",
            precompiled_charsmap: btoa(charsmap.map((byte) => String.fromCharCode(byte & 255)).join("")),
          }]
          : []),
        ...(extra ? [replace({ Regex: "\\A +| +\\z" }, ""), replace({ Regex: " {2,}" }, " ")] : []),
        ...blanked(prefix),
      ],
    },
    pre_tokenizer: null,
    decoder: { type: "Metaspace", replacement: BLANK, prepend_scheme: prefix ? "always" : "never", split: true },
    model: {
      type: "Unigram",
      unk_id: unknown,
      vocab: tokens.map((token, id): Json => [token, scores[id] ?? 0]),
      byte_fallback: false,
    },
  };
}

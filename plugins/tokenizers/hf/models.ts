/** The models of tokenizer.json, from pieces of text to tokens. */
import type { Definition } from "./normalizers.ts";
import type { Piece, Vocabulary } from "./piece.ts";
import { wordLevel, wordPiece } from "./word_piece.ts";

/** Turns pieces into tokens. */
export type Model = Readonly<{
  tokenize(text: string): Piece;
  /** The id of the unknown token, if it is decoded as the text that it replaces. */
  unknownIsText: number | undefined;
}>;

/** Returns a model's type or, if that is missing, derives it from its fields. */
function kindOf(model: Definition): string {
  if (typeof model.type === "string") return model.type;
  if (Array.isArray(model.vocab)) return "Unigram";
  if (model.merges !== undefined) return "BPE";
  return model.max_input_chars_per_word !== undefined ? "WordPiece" : "WordLevel";
}

/** Returns the model of a checked definition, loading its implementation if that is large. */
export async function modelOf(definition: Definition, vocabulary: Vocabulary): Promise<Model> {
  const kind = kindOf(definition);
  const unknown = kind === "Unigram" && typeof definition.unk_id === "number" ? definition.unk_id : undefined;
  return { tokenize: cached(await tokenizerOf(kind, definition, vocabulary)), unknownIsText: unknown };
}

async function tokenizerOf(kind: string, definition: Definition, vocabulary: Vocabulary): Promise<Model["tokenize"]> {
  const { ids } = vocabulary;
  if (kind === "BPE") return (await import("./bpe.ts")).bpe(definition, vocabulary);
  if (kind === "Unigram") return (await import("./unigram.ts")).unigram(definition, ids);
  return kind === "WordPiece" ? wordPiece(definition, ids) : wordLevel(definition, ids);
}

/** Limits of the cache of pieces: their number, and their length. */
const [MOST, LONGEST] = [16_384, 64];

function cached(tokenize: (text: string) => Piece): (text: string) => Piece {
  const known = new Map<string, Piece>();
  return (text) => {
    if (text.length > LONGEST) return tokenize(text);
    const before = known.get(text);
    if (before) return before;
    if (known.size >= MOST) known.clear();
    const piece = tokenize(text);
    known.set(text, piece);
    return piece;
  };
}

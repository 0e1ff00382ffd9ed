/** The models of tokenizer.json: pieces of text to tokens. */
import type { Definition } from "./normalizers.ts";
import type { Piece, Vocabulary } from "./piece.ts";
import { wordLevel, wordPiece } from "./word_piece.ts";

/** What makes tokens of pieces. */
export type Model = Readonly<{
  tokenize(text: string): Piece;
  /** The id of what is unknown, where such a token is read as the text that it stands for. */
  unknownIsText: number | undefined;
}>;

/** The kind of a model; one that does not say it is told by what it has. */
function kindOf(model: Definition): string {
  if (typeof model.type === "string") return model.type;
  if (Array.isArray(model.vocab)) return "Unigram";
  if (model.merges !== undefined) return "BPE";
  return model.max_input_chars_per_word !== undefined ? "WordPiece" : "WordLevel";
}

/** The model of a checked definition; of the larger kinds the one that it is of is loaded. */
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

/** What is kept of pieces seen before: so many, and none longer than this. */
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

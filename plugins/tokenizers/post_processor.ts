/**
 * What tokenizer.json's post-processor puts around texts: special tokens, and the type of every token.
 * @module
 */
import { badFile, show, unsupported } from "../../core/errors.ts";
import type { Window } from "./truncate.ts";

/** A token of an assembled sequence: a special one's id, or a place in text 0 or 1. */
export type Part =
  | Readonly<{ id: number; type: number }>
  | Readonly<{ sequence: 0 | 1; at: number; type: number }>;

/** Assembles texts. */
export type PostProcessor = Readonly<{
  /** How many tokens come to those of the texts. */
  added(pair: boolean, adds: boolean): number;
  /** The tokens of a window; without special tokens where it `adds` none. */
  apply(window: Window, adds: boolean): Part[];
}>;

/** A piece of what is assembled: special tokens, or a text. */
type Piece = Readonly<{ ids: readonly number[]; type: number }> | Readonly<{ sequence: 0 | 1; type: number }>;
type Layout = Readonly<{ single: readonly Piece[]; pair: readonly Piece[] }>;
type Definition = Readonly<Record<string, unknown>>;

const text = (sequence: 0 | 1, type: number): Piece => ({ sequence, type });
const plain: Layout = { single: [text(0, 0)], pair: [text(0, 0), text(1, 1)] };

/** The post-processor of a checked tokenizer.json. Throws AttuneError where it is of an unknown kind. */
export function postProcessorOf(definition: Definition | null | undefined): PostProcessor {
  const layout = layoutOf(definition) ?? plain;
  const piecesOf = (pair: boolean, adds: boolean): readonly Piece[] =>
    layout[pair ? "pair" : "single"].filter((piece) => adds || "sequence" in piece);
  return {
    added: (pair, adds) =>
      piecesOf(pair, adds).reduce((count, piece) => count + ("ids" in piece ? piece.ids.length : 0), 0),
    apply: ({ a, b }, adds) =>
      piecesOf(b !== undefined, adds).flatMap((piece): Part[] => {
        const { type } = piece;
        if ("ids" in piece) return piece.ids.map((id) => ({ id, type }));
        const { sequence } = piece;
        const [from, to] = (sequence === 0 ? a : b) ?? [0, 0];
        return Array.from({ length: to - from }, (_, i) => ({ sequence, at: from + i, type }));
      }),
  };
}

/** What is put where; nothing where a part changes places alone. */
function layoutOf(part: Definition | null | undefined): Layout | undefined {
  if (!part) return undefined;
  if (part.type === "ByteLevel") return undefined;
  if (part.type === "Sequence") {
    const layouts = (part.processors as readonly Definition[]).flatMap((own) => layoutOf(own) ?? []);
    if (layouts.length > 1) {
      throw unsupported("hf", "tokenizer.json: post_processor", "Sequence", "two of its parts add special tokens");
    }
    return layouts[0];
  }
  if (part.type === "TemplateProcessing") {
    return { single: templateOf(part, "single"), pair: templateOf(part, "pair") };
  }
  const [cls, sep] = [part.cls, part.sep].map((token) => (token as readonly [string, number])[1]);
  const special = (id: number | undefined, type: number): Piece => ({ ids: [id ?? 0], type });
  if (part.type === "BertProcessing") {
    const single = [special(cls, 0), text(0, 0), special(sep, 0)];
    return { single, pair: [...single, text(1, 1), special(sep, 1)] };
  }
  // RoBERTa knows one type of token.
  const single = [special(cls, 0), text(0, 0), special(sep, 0)];
  return { single, pair: [...single, special(sep, 0), text(1, 0), special(sep, 0)] };
}

type Item = Readonly<{
  SpecialToken?: Readonly<{ id: string; type_id: number }>;
  Sequence?: Readonly<{ id: string; type_id: number }>;
}>;

function templateOf(part: Definition, side: "single" | "pair"): Piece[] {
  const known = (part.special_tokens ?? {}) as Readonly<Record<string, Readonly<{ ids?: readonly number[] }>>>;
  return (part[side] as readonly Item[]).map(({ SpecialToken: special, Sequence: own }): Piece => {
    if (own) return text(own.id === "B" ? 1 : 0, own.type_id);
    const name = special?.id ?? "";
    const ids = Object.hasOwn(known, name) ? known[name]?.ids : undefined;
    if (!Array.isArray(ids)) throw badFile("hf", "tokenizer.json", `its template has no ids of ${show(name)}`);
    return { ids, type: special?.type_id ?? 0 };
  });
}

/** Unigram: the most likely segmentation of a text into tokens. */
import { noUnknown, type Piece } from "./piece.ts";
import type { Definition } from "./normalizers.ts";
import { type Prefixes, prefixesOf } from "./prefixes.ts";
import { byteTokens } from "./definition.ts";

/** How far the score of an unknown character is below that of any token. */
const PENALTY = 10;

const encoder = new TextEncoder();

/** Returns the Unigram model of a definition. */
export function unigram(definition: Definition, vocabulary: ReadonlyMap<string, number>): (text: string) => Piece {
  const list = definition.vocab as readonly (readonly [string, number])[];
  const scores = Float64Array.from(list, ([, score]) => score);
  const unknownScore = scores.reduce((least, score) => Math.min(least, score), Infinity) - PENALTY;
  const unknown = typeof definition.unk_id === "number" ? definition.unk_id : undefined;
  const bytes = byteTokens(definition, vocabulary);
  let prefixes: Prefixes | undefined;

  /** For each position, the begin and id of the token that ends there on the best path. */
  const waysOf = (text: string): Readonly<{ from: Int32Array; token: Int32Array }> => {
    const tree = prefixes ??= prefixesOf(vocabulary);
    const from = new Int32Array(text.length + 1).fill(-1);
    const token = new Int32Array(text.length + 1);
    const best = new Float64Array(text.length + 1);
    for (let at = 0; at < text.length;) {
      const one = at + ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1);
      const here = best[at] as number;
      const reach = (end: number, id: number, score: number): void => {
        if (from[end] !== -1 && score <= (best[end] as number)) return;
        best[end] = score;
        from[end] = at;
        token[end] = id;
      };
      let single = false;
      tree.at(text, at, (end, id) => {
        reach(end, id, (scores[id] as number) + here);
        if (end === one) single = true;
      });
      if (!single) {
        if (unknown === undefined) throw noUnknown(text.slice(at));
        reach(one, unknown, unknownScore + here);
      }
      at = one;
    }
    return { from, token };
  };

  return (text) => {
    const { from, token } = waysOf(text);
    const cuts: number[] = [];
    // Backwards from the end; consecutive unknown characters are one token.
    for (let end = text.length, fused = false; end > 0; end = from[end] as number) {
      const isUnknown = token[end] === unknown;
      if (!(isUnknown && fused)) cuts.push(end);
      fused = isUnknown;
    }
    const piece = { ids: [] as number[], starts: [] as number[], ends: [] as number[] };
    let start = 0;
    for (let i = cuts.length - 1; i >= 0; i--) {
      const end = cuts[i] as number;
      const add = (id: number): void => {
        piece.ids.push(id);
        piece.starts.push(start);
        piece.ends.push(end);
      };
      const id = token[end] === unknown ? vocabulary.get(text.slice(start, end)) : token[end];
      const fallback = id === undefined && bytes
        ? Array.from(encoder.encode(text.slice(start, end)), (byte) => bytes[byte])
        : [undefined];
      if (id !== undefined) add(id);
      else if (fallback.every((byte) => byte !== undefined)) { for (const byte of fallback) add(byte); }
      else add(unknown as number);
      start = end;
    }
    return piece;
  };
}

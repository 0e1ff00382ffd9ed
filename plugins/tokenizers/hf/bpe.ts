/** Byte-pair encoding: characters, merged pair by pair in the order of the merges. */
import { badFile, show, unsupported } from "../../../core/base/errors.ts";
import { noUnknown, type Piece, type Vocabulary } from "./piece.ts";
import type { Definition } from "./normalizers.ts";
import { byteTokens } from "./definition.ts";

const encoder = new TextEncoder();

/** Positions in a piece are below this number. */
const PLACES = 2 ** 28;

/** Merges: the rank of a pair of tokens, and the token that the merge of each rank produces. */
type Merges = Readonly<{ rankOf(left: number, right: number): number | undefined; mergedTokens: Int32Array }>;

/** The cache of pairs has two to the power of this many slots, each for one pair. */
const PAIR_BITS = 17;

const wrong = (problem: string): Error => badFile("hf", "tokenizer.json", problem);

/**
 * Returns the merges, each found by its result, which usually is the next token in the vocabulary, so that opening a
 * file needs few lookups. Throws AttuneError if a merge is not a pair, or makes no token.
 */
function mergesOf(definition: Definition, { ids, names }: Vocabulary): Merges {
  const prefix = String(definition.continuing_subword_prefix ?? "");
  const merges = definition.merges as readonly (string | readonly [string, string])[];
  const isText = typeof merges[0] === "string";
  const list = isText ? merges.filter((merge) => !String(merge).startsWith("#version")) : merges;
  const results = new Int32Array(list.length);
  // For each token the last merge that makes it, and for each merge the previous one with the same result.
  const last = new Int32Array(names.length).fill(-1);
  const before = new Int32Array(list.length);
  let guess = 0;
  list.forEach((merge, rank) => {
    const [left, right] = sidesOf(merge, isText);
    const end = prefix === "" ? right : right.slice(prefix.length);
    if (!isMade(names[guess], left, end)) {
      if (isMade(names[guess + 1], left, end)) guess++;
      else {
        const id = ids.get(left + end);
        if (id === undefined) throw wrong(`its merge ${show(merge)} makes an unknown token`);
        guess = id;
      }
    }
    results[rank] = guess;
    before[rank] = last[guess] as number;
    last[guess] = rank;
  });
  const find = (left: string, right: string): number => {
    const id = ids.get(left + (prefix === "" ? right : right.slice(prefix.length)));
    if (id === undefined) return -1;
    for (let rank = last[id] as number; rank >= 0; rank = before[rank] as number) {
      const [a, b] = sidesOf(list[rank], isText);
      if (a === left && b === right) return rank;
    }
    return -1;
  };
  // For each slot the last pair that was looked up: left, right, rank.
  const asked = new Int32Array(3 * 2 ** PAIR_BITS).fill(-1);
  return {
    mergedTokens: results,
    rankOf: (left, right) => {
      const at = 3 * ((Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b)) >>> (32 - PAIR_BITS));
      if (asked[at] !== left || asked[at + 1] !== right) {
        const rank = find(names[left] ?? "", names[right] ?? "");
        asked.set([left, right, rank], at);
      }
      const rank = asked[at + 2] as number;
      return rank < 0 ? undefined : rank;
    },
  };
}

function isMade(token: string | undefined, left: string, end: string): boolean {
  return token !== undefined && token.length === left.length + end.length && token.startsWith(left) &&
    token.endsWith(end);
}

/** Returns the two sides of a merge, given as a text with a blank between them or as a list. */
function sidesOf(merge: unknown, isText: boolean): readonly [string, string] {
  if (isText && typeof merge === "string") {
    const at = merge.indexOf(" ");
    if (at > 0 && at < merge.length - 1 && !merge.includes(" ", at + 1)) {
      return [merge.slice(0, at), merge.slice(at + 1)];
    }
  } else if (!isText && Array.isArray(merge) && merge.length === 2) {
    const [left, right]: unknown[] = merge;
    if (typeof left === "string" && typeof right === "string" && left !== "" && right !== "") return [left, right];
  }
  throw wrong(`has ${show(merge)} as a merge`);
}

/** The symbols of a piece, by id and length in units (or bytes); 0 if merged into the previous one. */
type Symbols = { ids: number[]; lengths: number[] };

/** Returns the BPE model of a definition. */
export function bpe(definition: Definition, tokens: Vocabulary): (text: string) => Piece {
  if (typeof definition.dropout === "number" && definition.dropout > 0) {
    throw unsupported("hf", "model.dropout", definition.dropout, "BPE dropout is not supported; set it to null");
  }
  const vocabulary = tokens.ids;
  const merges = mergesOf(definition, tokens);
  const prefix = String(definition.continuing_subword_prefix ?? "");
  const suffix = String(definition.end_of_word_suffix ?? "");
  const fuses = definition.fuse_unk === true;
  const ignores = definition.ignore_merges === true;
  const unknown = typeof definition.unk_token === "string" ? vocabulary.get(definition.unk_token) : undefined;
  const bytes = byteTokens(definition, vocabulary);

  /** Returns the symbols of the characters; undefined if positions need bytes, but `inBytes` is false. */
  const symbolsOf = (text: string, inBytes: boolean): Symbols | undefined => {
    const symbols: Symbols = { ids: [], lengths: [] };
    let waiting = 0;
    const add = (id: number, length: number): void => {
      symbols.ids.push(id);
      symbols.lengths.push(length);
    };
    const flush = (): void => {
      if (waiting > 0) add(unknown ?? 0, waiting);
      waiting = 0;
    };
    for (let at = 0; at < text.length;) {
      const code = text.codePointAt(at) ?? 0;
      const end = at + (code > 0xffff ? 2 : 1);
      const char = text.slice(at, end);
      const symbol = (at > 0 ? prefix : "") + char + (end === text.length ? suffix : "");
      const length = inBytes ? (code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4) : end - at;
      at = end;
      const id = vocabulary.get(symbol);
      if (id !== undefined) {
        flush();
        add(id, length);
        continue;
      }
      if (bytes || unknown === undefined) {
        if (!inBytes) return undefined;
        const fallback = bytes ? Array.from(encoder.encode(symbol), (byte) => bytes[byte]) : [undefined];
        if (fallback.every((byte) => byte !== undefined)) {
          // A preceding unknown character stays pending: it follows these bytes.
          for (const byte of fallback) add(byte, 1);
          continue;
        }
        if (unknown === undefined) {
          if (typeof definition.unk_token === "string") throw noUnknown(char);
          continue;
        }
      }
      if (!fuses) flush();
      waiting += length;
    }
    flush();
    return symbols;
  };

  return (text) => {
    const whole = ignores ? vocabulary.get(text) : undefined;
    if (whole !== undefined) return { ids: [whole], starts: [0], ends: [text.length] };
    const symbols = symbolsOf(text, false);
    if (symbols) return placed(merged(symbols, merges));
    return placed(merged(symbolsOf(text, true) as Symbols, merges), unitsOfBytes(text));
  };
}

/** Returns for each byte of a text the units where its character begins and ends, alternately. */
function unitsOfBytes(text: string): number[] {
  const units: number[] = [];
  for (let at = 0; at < text.length;) {
    const code = text.codePointAt(at) ?? 0;
    const end = at + (code > 0xffff ? 2 : 1);
    for (let i = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4; i > 0; i--) units.push(at, end);
    at = end;
  }
  return units;
}

function placed({ ids, lengths }: Symbols, bytes?: readonly number[]): Piece {
  const piece = { ids: [] as number[], starts: [] as number[], ends: [] as number[] };
  // Bytes of added prefixes and suffixes have the position of the last byte.
  const unit = (i: number): number => (bytes ? bytes[Math.min(i, bytes.length - 2 + i % 2)] as number : i >> 1);
  let at = 0;
  for (let i = 0; i < ids.length; i++) {
    const length = lengths[i] as number;
    if (length === 0) continue;
    piece.ids.push(ids[i] as number);
    piece.starts.push(unit(2 * at));
    at += length;
    piece.ends.push(bytes ? unit(2 * at - 1) : at);
  }
  return piece;
}

/** Merges pairs, lowest rank first and leftmost among equals, with a heap of candidates: n log n. */
function merged(symbols: Symbols, { rankOf, mergedTokens: results }: Merges): Symbols {
  const { ids, lengths } = symbols;
  const n = ids.length;
  if (n < 2) return symbols;
  const next = new Int32Array(n);
  const before = new Int32Array(n);
  const heap: number[] = [];
  const push = (left: number, right: number): void => {
    const rank = rankOf(ids[left] as number, ids[right] as number);
    if (rank !== undefined) insert(heap, rank * PLACES + left);
  };
  for (let i = 0; i < n; i++) {
    next[i] = i + 1;
    before[i] = i - 1;
    if (i + 1 < n) push(i, i + 1);
  }
  while (heap.length > 0) {
    const top = removeFirst(heap);
    const at = top % PLACES;
    const joined = results[Math.floor(top / PLACES)] as number;
    if (lengths[at] === 0) continue;
    const right = next[at] as number;
    if (right >= n) continue;
    // The candidate may be outdated.
    const rank = rankOf(ids[at] as number, ids[right] as number);
    if (rank === undefined || results[rank] !== joined) continue;
    ids[at] = joined;
    lengths[at] = (lengths[at] as number) + (lengths[right] as number);
    lengths[right] = 0;
    const behind = next[at] = next[right] as number;
    if (behind < n) {
      before[behind] = at;
      push(at, behind);
    }
    const front = before[at] as number;
    if (front >= 0) push(front, at);
  }
  return symbols;
}

function insert(heap: number[], value: number): void {
  let at = heap.length;
  heap.push(value);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    const other = heap[parent] as number;
    if (other <= value) break;
    heap[at] = other;
    at = parent;
  }
  heap[at] = value;
}

function removeFirst(heap: number[]): number {
  const first = heap[0] as number;
  const value = heap.pop() as number;
  const size = heap.length;
  if (size === 0) return first;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= size) break;
    if (child + 1 < size && (heap[child + 1] as number) < (heap[child] as number)) child++;
    if ((heap[child] as number) >= value) break;
    heap[at] = heap[child] as number;
    at = child;
  }
  heap[at] = value;
  return first;
}

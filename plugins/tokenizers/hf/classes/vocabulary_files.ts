/**
 * What stands for tokenizer.json where a checkpoint has only the vocabulary files that older versions of libraries wrote: the
 * model's tokens and merges, to which the tokenizer's class gives its steps.
 */
import { badFile, refusePointer } from "../../../../core/base/errors.ts";
import { jsonObject } from "../../../../core/base/json.ts";
import { readProto } from "../../../../core/onnx/proto_reader.ts";
import type { Json, Named, Store } from "../../../../core/types.ts";
import { vocabularyFiles } from "../../../../formats/hf/carried_files.ts";

/** A definition made of vocabulary files. */
export type MadeDefinition = Readonly<{
  definition: Named<unknown>;
  /** The files that it was made of, by name. */
  from: readonly string[];
  /** All their bytes. */
  bytes: readonly Uint8Array[];
  /** Tokens of SentencePiece that are never cut: those that no text has, and those that its trainer was given. */
  pieces: readonly Readonly<{ content: string; special: boolean }>[];
}>;

/** Larger files are refused, in bytes, and more fields of a file of SentencePiece. */
const [MAX_BYTES, MAX_FIELDS] = [64 * 2 ** 20, 8_000_000];

/** The definition that vocabulary files make; undefined: there are none. Throws AttuneError where one is not sound. */
export async function definitionFromFiles(files: Store): Promise<MadeDefinition | undefined> {
  const read = async (name: string): Promise<Uint8Array | undefined> => {
    const size = (await files.get(name, { offset: 0, length: 0 }))?.size;
    if (size === undefined) return undefined;
    if (size > MAX_BYTES) throw badFile("hf", name, `has ${size} bytes, more than ${MAX_BYTES}`);
    const bytes = (await files.get(name))?.bytes;
    if (bytes) refusePointer("hf", name, bytes);
    return bytes;
  };
  const definitionOf = (model: Named<Json>, from: readonly string[], bytes: readonly Uint8Array[]): MadeDefinition => ({
    definition: { version: "1.0", added_tokens: [], normalizer: null, model },
    from,
    bytes,
    pieces: [],
  });
  const [vocab, merges] = [await read("vocab.json"), await read("merges.txt")];
  if (vocab && merges) {
    const tokens = jsonObject("hf", "vocab.json", vocab, { anyKey: true });
    return definitionOf({ type: "BPE", vocab: tokens, merges: mergesIn(merges) }, ["vocab.json", "merges.txt"], [
      vocab,
      merges,
    ]);
  }
  const words = await read("vocab.txt");
  if (words) {
    const tokens = linesOf(words).map((line, id): [string, Json] => [line.trimEnd(), id]);
    return definitionOf({ type: "WordPiece", vocab: Object.fromEntries(tokens) }, ["vocab.txt"], [words]);
  }
  for (const name of vocabularyFiles.filter((file) => file.endsWith(".model"))) {
    const bytes = await read(name);
    if (bytes) return sentencePiece(name, bytes);
  }
  return undefined;
}

/** Lines of a text in UTF-8; behind the last line's end there is none. */
function linesOf(bytes: Uint8Array): readonly string[] {
  const lines = new TextDecoder().decode(bytes).split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

function mergesIn(bytes: Uint8Array): readonly (readonly [string, string])[] {
  return linesOf(bytes).flatMap((line, i) => {
    if (line.startsWith("#version")) return [];
    const [left, right, ...more] = line.split(" ");
    if (left !== undefined && right !== undefined && more.length === 0) return [[left, right] as const];
    throw badFile("hf", "merges.txt", `line ${i + 1} is not two tokens with a blank between them`);
  });
}

/** Of a piece: one that no text has, and one that the trainer was given. */
const [CONTROL, GIVEN] = [3, 4];

/** A vocabulary of SentencePiece: likeliest pieces, or pairs that are joined by the places of what they make. */
function sentencePiece(name: string, bytes: Uint8Array): MadeDefinition {
  const limits = { bytes: MAX_BYTES, items: MAX_FIELDS, depth: 4 };
  const pieces: { piece: string; score: number; type: number }[] = [];
  let [charsmap, unigram, unknown] = [new Uint8Array(), true, 0];
  readProto("hf", bytes, limits, (r) => {
    for (let field = r.next(); field !== 0; field = r.next()) {
      if (field === 1) {
        const own = { piece: "", score: 0, type: 1 };
        pieces.push(own);
        r.message((r) => {
          for (let field = r.next(); field !== 0; field = r.next()) {
            if (field === 1) own.piece = r.string();
            else if (field === 2) own.score = r.float();
            else if (field === 3) own.type = r.int();
          }
        });
      } else if (field === 2) {
        r.message((r) => {
          for (let field = r.next(); field !== 0; field = r.next()) {
            if (field === 3) unigram = r.int() === 1;
            else if (field === 40) unknown = r.int();
          }
        });
      } else if (field === 3) {
        r.message((r) => {
          for (let field = r.next(); field !== 0; field = r.next()) if (field === 2) charsmap = r.bytes().slice();
        });
      }
    }
  });
  if (pieces.length === 0) throw badFile("hf", name, "has no pieces: it is no file of SentencePiece");
  const model: Named<Json> = unigram
    ? { type: "Unigram", unk_id: unknown, vocab: pieces.map(({ piece, score }) => [piece, score]) }
    : pairsOf(pieces.map(({ piece }) => piece));
  const map = Array.from(charsmap, (byte) => String.fromCharCode(byte)).join("");
  return {
    definition: {
      version: "1.0",
      added_tokens: [],
      normalizer: map === "" ? null : { type: "Precompiled", precompiled_charsmap: btoa(map) },
      model,
    },
    from: [name],
    bytes: [bytes],
    pieces: pieces.filter(({ type }) => type === CONTROL || type === GIVEN)
      .map(({ piece, type }) => ({ content: piece, special: type === CONTROL })),
  };
}

/** Tokens with every pair of them that makes another, in the order of what they make, shorter left sides first. */
function pairsOf(tokens: readonly string[]): Named<Json> {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges: [string, string][] = [];
  for (const token of ids.keys()) {
    const characters = Array.from(token);
    for (let at = 1, left = ""; at < characters.length; at++) {
      left += characters[at - 1];
      const right = token.slice(left.length);
      if (ids.has(left) && ids.has(right)) merges.push([left, right]);
    }
  }
  return { type: "BPE", vocab: Object.fromEntries(ids), merges };
}

/**
 * Definitions from vocabulary files of older library versions, for checkpoints without tokenizer.json: the model's
 * tokens and merges, to which the tokenizer's class adds its steps.
 */
import { badFile, refuseLfsPointer } from "../../../../core/base/errors.ts";
import { jsonObject } from "../../../../core/base/json.ts";
import { readProto } from "../../../../core/onnx/proto_reader.ts";
import type { Json, Named, Store } from "../../../../core/types.ts";
import { vocabularyFiles } from "../../../../formats/hf/carried_files.ts";

/** A definition made from vocabulary files. */
export type MadeDefinition = Readonly<{
  definition: Named<unknown>;
  /** The names of these files. */
  from: readonly string[];
  /** The bytes of these files. */
  bytes: readonly Uint8Array[];
  /** SentencePiece tokens that are never split: control tokens, and those given to its trainer. */
  pieces: readonly Readonly<{ content: string; special: boolean }>[];
}>;

/** Limits of a file in bytes, and of the fields in a SentencePiece file. */
const [MAX_BYTES, MAX_FIELDS] = [64 * 2 ** 20, 8_000_000];

/** Makes a definition from vocabulary files; undefined: there are none. Throws AttuneError if one is damaged. */
export async function definitionFromFiles(files: Store): Promise<MadeDefinition | undefined> {
  const read = async (name: string): Promise<Uint8Array | undefined> => {
    const size = (await files.get(name, { offset: 0, length: 0 }))?.size;
    if (size === undefined) return undefined;
    if (size > MAX_BYTES) throw badFile("hf", name, `has ${size} bytes, more than ${MAX_BYTES}`);
    const bytes = (await files.get(name))?.bytes;
    if (bytes) refuseLfsPointer("hf", name, bytes);
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

/** Splits UTF-8 text into lines; a final line end does not begin another line. */
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

/** SentencePiece's piece types: control tokens, and user-defined ones. */
const [CONTROL, GIVEN] = [3, 4];

/** Converts a SentencePiece vocabulary: unigram, or BPE with merges in the order of their results. */
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

/** Returns tokens and all pairs that merge into a token, in the order of results, shorter left sides first. */
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

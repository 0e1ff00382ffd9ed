/**
 * Prunes a vocabulary to the tokens that texts use, so that embedding tables shrink, too.
 * @module
 */
import { unsupported } from "../../../core/base/errors.ts";
import { f32, sizeOf, type Tensor } from "../../../core/base/tensor.ts";
import type { Json, Named } from "../../../core/types.ts";

/** Options of pruning a vocabulary. */
export type SlimTokenizerOptions = Readonly<{
  /** How often each token id is used; missing ids count 0. */
  counts: ReadonlyMap<number, number>;
  /** The largest number of tokens; indispensable ones (special tokens, single characters) come first. */
  vocabSize: number;
}>;

/** A pruned tokenizer; `oldIds[i]` is the old id of new id i. */
export type SlimTokenizer = Readonly<{ tokenizerJson: Named<Json>; oldIds: Int32Array }>;

type Added = Readonly<{ id: number; content: string }>;

/**
 * A WordPiece or BPE tokenizer.json with fewer tokens. Special tokens and single characters (for BPE: what other kept
 * tokens are merged from) stay, so that every text that had ids still has some; the most used others follow.
 *
 * @throws AttuneError if the model is of another kind.
 * @example
 * ```ts
 * import { slimTokenizer } from "attune/tokenizers/slim-tokenizer";
 * const model = { type: "WordPiece", unk_token: "[UNK]", vocab: { "[UNK]": 0, "a": 1, "ab": 2, "abc": 3 } };
 * const { oldIds } = slimTokenizer({ model, added_tokens: [] }, { counts: new Map([[3, 5]]), vocabSize: 3 });
 * console.assert(oldIds.join() === "0,1,3");
 * ```
 */
export function slimTokenizer(tokenizerJson: Named<Json>, options: SlimTokenizerOptions): SlimTokenizer {
  const { counts, vocabSize } = options;
  const model = tokenizerJson.model as Named<Json>;
  const vocab = model.vocab as Named<number>;
  const merges = mergesOf(model);
  if (model.type !== "WordPiece" && model.type !== "BPE") {
    throw unsupported("slim-tokenizer", "model.type", model.type, "only WordPiece and BPE vocabularies can be pruned");
  }
  const added = (tokenizerJson.added_tokens ?? []) as readonly Added[];
  const specials = new Set([...added.map((token) => token.content), String(model.unk_token ?? "")]);
  const prefix = String(model.continuing_subword_prefix ?? "");
  const bare = (
    token: string,
  ): string => (prefix !== "" && token.startsWith(prefix) ? token.slice(prefix.length) : token);
  const keep = new Set<string>();
  for (const token of Object.keys(vocab)) if (specials.has(token) || [...bare(token)].length === 1) keep.add(token);
  const origin = new Map(merges.map(([a, b]) => [a + (b.startsWith(prefix) ? b.slice(prefix.length) : b), [a, b]]));
  // A merged token needs the tokens that it is merged from.
  const withOrigins = (token: string): string[] =>
    keep.has(token) ? [] : [...(origin.get(token) ?? []).flatMap(withOrigins), token];
  const used = Object.entries(vocab).filter(([, id]) => (counts.get(id) ?? 0) > 0)
    .sort(([, a], [, b]) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0) || a - b);
  for (const [token] of used) {
    const more = new Set(withOrigins(token));
    if (keep.size + more.size <= vocabSize) { for (const token of more) keep.add(token); }
  }
  const ids = new Map<string, number>([
    ...Object.entries(vocab),
    ...added.map((t): [string, number] => [t.content, t.id]),
  ]);
  const tokens = [...ids].filter(([token]) => keep.has(token) || specials.has(token)).sort(([, a], [, b]) => a - b);
  const renumbered = new Map(tokens.map(([token], i) => [token, i]));
  const text = JSON.stringify({
    ...tokenizerJson,
    added_tokens: added.map((token) => ({ ...token, id: renumbered.get(token.content) })),
    model: {
      ...model,
      vocab: Object.fromEntries(
        tokens.filter(([token]) => token in vocab).map(([token]) => [token, renumbered.get(token)]),
      ),
      ...(model.merges === undefined ? {} : {
        merges: merges.filter(([a, b]) => keep.has(a) && keep.has(b) && keep.has(a + bare(b)))
          .map(([a, b]) => (typeof (model.merges as readonly Json[])[0] === "string" ? `${a} ${b}` : [a, b])),
      }),
    },
  });
  const slim = JSON.parse(text) as Named<Json>;
  return { tokenizerJson: withIds(slim, renumbered), oldIds: Int32Array.from(tokens, ([, id]) => id) };
}

/**
 * The rows of an embedding table that a pruned tokenizer still names [kept, ...].
 *
 * @example
 * ```ts
 * import { f32 } from "attune";
 * import { slimEmbeddings } from "attune/tokenizers/slim-tokenizer";
 * console.assert(slimEmbeddings(f32([3, 1], [5, 6, 7]), Int32Array.of(0, 2)).data[1] === 7);
 * ```
 */
export function slimEmbeddings(table: Tensor<Float32Array>, ids: Int32Array): Tensor<Float32Array> {
  const rest = table.dims.slice(1);
  const width = sizeOf(rest);
  const out = f32([ids.length, ...rest], new Float32Array(ids.length * width));
  ids.forEach((row, i) => out.data.set(table.data.subarray(row * width, (row + 1) * width), i * width));
  return out;
}

function mergesOf(model: Named<Json>): readonly (readonly [string, string])[] {
  return ((model.merges ?? []) as readonly (string | readonly [string, string])[]).map((merge) =>
    typeof merge === "string" ? merge.split(" ") as unknown as readonly [string, string] : merge
  );
}

/** Replaces the ids of special tokens in a post-processor by the new ones. */
function withIds(json: Named<Json>, ids: ReadonlyMap<string, number>): Named<Json> {
  const walk = (value: Json): Json => {
    if (Array.isArray(value)) {
      const [token, id] = value;
      // BertProcessing and RobertaProcessing give their tokens as [token, id].
      if (value.length === 2 && typeof token === "string" && typeof id === "number") {
        return [token, ids.get(token) ?? id];
      }
      return value.map(walk);
    }
    if (typeof value !== "object" || value === null) return value;
    const object = value as Named<Json>;
    const copy = Object.fromEntries(Object.entries(object).map(([k, v]) => [k, walk(v)]));
    if (!Array.isArray(object.tokens) || !Array.isArray(object.ids)) return copy;
    return { ...copy, ids: object.tokens.map((token, i) => ids.get(String(token)) ?? (object.ids as Json[])[i] ?? 0) };
  };
  return json.post_processor === undefined ? json : { ...json, post_processor: walk(json.post_processor ?? null) };
}

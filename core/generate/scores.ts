/** Processing of the scores of next tokens before one is chosen. */
import type { GenerationOptions } from "./options.ts";

/** A text so far. `tokens`: the prompt (or decoder start) and `generated` new tokens; `source`: the source's tokens. */
export type GeneratedSoFar = Readonly<{ tokens: readonly number[]; generated: number; source: readonly number[] }>;

/** Changes scores in place, in the order of transformers. */
export function processScores(scores: Float64Array, text: GeneratedSoFar, o: GenerationOptions): void {
  const { tokens, generated, source } = text;
  for (const [ids, bias] of o.sequenceBias ?? []) biased(scores, tokens, ids, bias);
  if (o.encoderRepetitionPenalty) penalize(scores, source, 1 / o.encoderRepetitionPenalty);
  penalize(scores, tokens, o.repetitionPenalty);
  noRepeat(scores, tokens, tokens, o.noRepeatNgramSize);
  noRepeat(scores, source, tokens, o.encoderNoRepeatNgramSize ?? 0);
  for (const ids of o.badWordsIds ?? []) {
    if (ids.length > 1 || !o.eosTokenIds.includes(ids[0] ?? -1)) biased(scores, tokens, ids, -Infinity);
  }
  if (generated < o.minNewTokens) { for (const id of o.eosTokenIds) scores[id] = -Infinity; }
  if (o.forcedBosTokenId !== undefined && tokens.length === 1) only(scores, o.forcedBosTokenId);
  if (o.forcedEosTokenId !== undefined && generated === o.maxNewTokens - 1) only(scores, o.forcedEosTokenId);
  const [start, factor] = o.exponentialDecayLengthPenalty ?? [Infinity, 1];
  if (generated > start) {
    for (const id of o.eosTokenIds) {
      const score = scores[id] ?? 0;
      if (Number.isFinite(score)) scores[id] = score + Math.abs(score) * (factor ** (generated - start) - 1);
    }
  }
  for (const id of o.suppressTokens ?? []) scores[id] = -Infinity;
  // A forced first token does not count as the beginning of the text.
  const begin = tokens.length - generated <= 1 && o.forcedBosTokenId !== undefined ? 1 : 0;
  if (generated === begin) { for (const id of o.beginSuppressTokens ?? []) scores[id] = -Infinity; }
}

/** Whether `processScores` never changes scores once the minimum number of new tokens is reached. */
export function leavesScores(o: GenerationOptions): boolean {
  const none = (list: readonly unknown[] | undefined): boolean => list === undefined || list.length === 0;
  const lists = [o.sequenceBias, o.badWordsIds, o.suppressTokens, o.beginSuppressTokens];
  const others = [o.forcedBosTokenId, o.forcedEosTokenId, o.exponentialDecayLengthPenalty];
  return lists.every(none) && others.every((value) => value === undefined) && o.repetitionPenalty === 1 &&
    (o.encoderRepetitionPenalty ?? 1) === 1 && o.noRepeatNgramSize === 0 && (o.encoderNoRepeatNgramSize ?? 0) === 0;
}

/** Makes tokens that have occurred less likely. */
function penalize(scores: Float64Array, tokens: readonly number[], penalty: number): void {
  if (penalty === 1) return;
  for (const id of new Set(tokens)) {
    const score = scores[id] ?? 0;
    scores[id] = score < 0 ? score * penalty : score / penalty;
  }
}

/** Rules out tokens that would complete an n-gram that occurs in `source`. */
function noRepeat(scores: Float64Array, source: readonly number[], tokens: readonly number[], n: number): void {
  if (n <= 0 || tokens.length + 1 < n) return;
  const start = tokens.slice(tokens.length + 1 - n);
  for (let i = 0; i + n <= source.length; i++) {
    if (start.every((id, k) => source[i + k] === id)) scores[source[i + n - 1] ?? 0] = -Infinity;
  }
}

/** Adds to the score of the token that completes a sequence. */
function biased(scores: Float64Array, tokens: readonly number[], ids: readonly number[], bias: number): void {
  const before = ids.length - 1;
  const at = tokens.length - before;
  if (at < 0 || ids.slice(0, before).some((id, k) => tokens[at + k] !== id)) return;
  const last = ids[before] ?? 0;
  if (last < scores.length) scores[last] = (scores[last] ?? 0) + bias;
}

function only(scores: Float64Array, id: number): void {
  scores.fill(-Infinity);
  scores[id] = 0;
}

/** Writes x - ln Σ eˣ to `out`. Uses plain loops, since `from` with a function takes twenty times as long. */
export function logSoftmax(
  scores: ArrayLike<number>,
  out: Float64Array = new Float64Array(scores.length),
): Float64Array {
  let top = -Infinity;
  for (let i = 0; i < scores.length; i++) top = Math.max(top, scores[i] ?? 0);
  let total = 0;
  for (let i = 0; i < scores.length; i++) total += Math.exp((scores[i] ?? 0) - top);
  const shift = top + Math.log(total);
  for (let i = 0; i < scores.length; i++) out[i] = (scores[i] ?? 0) - shift;
  return out;
}

/** Returns the index of the largest score, the first of equal ones. */
export function argMax(scores: ArrayLike<number>): number {
  let at = 0;
  let top = scores[0] ?? 0;
  for (let i = 1; i < scores.length; i++) {
    const score = scores[i] ?? 0;
    if (score > top) [at, top] = [i, score];
  }
  return at;
}

/** Returns the indices of the `count` largest scores, the largest first; among equal ones, the lower index first. */
export function largest(scores: ArrayLike<number>, count: number): number[] {
  if (count >= scores.length) {
    return Array.from(scores, (_, i) => i).sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b);
  }
  const indices: number[] = [];
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] ?? 0;
    if (indices.length === count && score <= (scores[indices[count - 1] ?? 0] ?? 0)) continue;
    let at = indices.length;
    while (at > 0 && (scores[indices[at - 1] ?? 0] ?? 0) < score) at--;
    indices.splice(at, 0, i);
    if (indices.length > count) indices.pop();
  }
  return indices;
}

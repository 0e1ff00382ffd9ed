/**
 * What is done to the scores of next tokens before one is taken.
 * @module
 */
import type { GenerationOptions } from "./options.ts";

/** Changes scores in place. `tokens`: the prompt (of a decoder its start token) and what was generated. */
export function processScores(
  scores: Float64Array,
  tokens: readonly number[],
  generated: number,
  o: GenerationOptions,
): void {
  if (o.repetitionPenalty !== 1) {
    for (const id of new Set(tokens)) {
      const score = scores[id] ?? 0;
      scores[id] = score < 0 ? score * o.repetitionPenalty : score / o.repetitionPenalty;
    }
  }
  const n = o.noRepeatNgramSize;
  if (n > 0 && tokens.length + 1 >= n) {
    const start = tokens.slice(tokens.length + 1 - n);
    for (let i = 0; i + n <= tokens.length; i++) {
      if (start.every((id, k) => tokens[i + k] === id)) scores[tokens[i + n - 1] ?? 0] = -Infinity;
    }
  }
  if (generated < o.minNewTokens) { for (const id of o.eosTokenIds) scores[id] = -Infinity; }
  if (o.forcedBosTokenId !== undefined && tokens.length === 1) only(scores, o.forcedBosTokenId);
  if (o.forcedEosTokenId !== undefined && generated === o.maxNewTokens - 1) only(scores, o.forcedEosTokenId);
}

function only(scores: Float64Array, id: number): void {
  scores.fill(-Infinity);
  scores[id] = 0;
}

/** x - ln Σ eˣ, written to `out`. Plain loops: `from` with a function takes twenty times as long. */
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

/** The first of the largest scores. */
export function best(scores: ArrayLike<number>): number {
  let found = 0;
  for (let i = 1; i < scores.length; i++) if ((scores[i] ?? 0) > (scores[found] ?? 0)) found = i;
  return found;
}

/** Indices of the `count` largest scores, largest first; of equal ones the first. */
export function largest(scores: ArrayLike<number>, count: number): number[] {
  const found: number[] = [];
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] ?? 0;
    if (found.length === count && score <= (scores[found[count - 1] ?? 0] ?? 0)) continue;
    let at = found.length;
    while (at > 0 && (scores[found[at - 1] ?? 0] ?? 0) < score) at--;
    found.splice(at, 0, i);
    if (found.length > count) found.pop();
  }
  return found;
}

/** The token that a uniform number falls on, among the `topK` likeliest whose likelihood adds up to `topP`. */
export function sample(scores: Float64Array, uniform: number, { temperature, topK, topP }: GenerationOptions): number {
  const order = largest(scores, topK > 0 ? Math.min(topK, scores.length) : scores.length);
  // As torch cuts: all that are as likely as the last of the topK stay.
  const last = scores[order.at(-1) ?? 0] ?? 0;
  if (topK > 0) scores.forEach((score, i) => score === last && !order.includes(i) && order.push(i));
  const logp = logSoftmax(order.map((i) => (scores[i] ?? 0) / temperature));
  const kept: number[] = [];
  let before = 0;
  for (let k = 0; k < order.length && (k === 0 || before < topP); k++) {
    kept.push(k);
    before += Math.exp(logp[k] ?? 0);
  }
  let left = uniform * before;
  for (const k of kept) {
    left -= Math.exp(logp[k] ?? 0);
    if (left < 0) return order[k] ?? 0;
  }
  return order[kept.at(-1) ?? 0] ?? 0;
}

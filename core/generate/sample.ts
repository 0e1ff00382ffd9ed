/** Sampling: filters the tokens that may be drawn, and draws one. */
import type { GenerationOptions } from "./options.ts";
import { largest, logSoftmax } from "./scores.ts";

/** Number of tokens that the entropy filter (topH) considers. */
const ENTROPY_TOKENS = 100;

/** Tokens, the likeliest first, with the logarithms of their probabilities, which sum to 1 over these tokens. */
type Drawable = Readonly<{ ids: readonly number[]; logp: Float64Array }>;

/** Returns the tokens that may be drawn, filtered in the order of transformers. */
export function selectDrawable(scores: Float64Array, o: GenerationOptions): Drawable {
  const scaled = (ids: readonly number[]): Drawable => ({
    ids,
    logp: logSoftmax(ids.map((id) => (scores[id] ?? 0) / o.temperature)),
  });
  const only = ({ ids }: Drawable, keeps: (k: number) => boolean): Drawable => scaled(ids.filter((_, k) => keeps(k)));
  let drawable = scaled(first(scores, o));
  const { topH, topK, topP, minP, typicalP = 1, epsilonCutoff = 0, etaCutoff = 0 } = o;
  if (topH !== undefined && topH > 0) {
    const most = topH * entropyOf(drawable.logp);
    let sum = 0;
    const sums = Array.from(drawable.logp, (logp) => sum -= term(logp));
    drawable = only(drawable, (k) => k === 0 || (sums[k] ?? 0) <= most);
  }
  if (topK > 0 && drawable.ids.length > topK) {
    // As in torch, all tokens that are as likely as the last of the topK stay.
    const last = drawable.logp[topK - 1] ?? 0;
    drawable = only(drawable, (k) => (drawable.logp[k] ?? 0) >= last);
  }
  if (topP < 1) {
    let before = 0;
    const sums = Array.from(drawable.logp, (logp) => {
      const sum = before;
      before += Math.exp(logp);
      return sum;
    });
    drawable = only(drawable, (k) => k === 0 || (sums[k] ?? 0) < topP);
  }
  if (minP !== undefined && minP > 0) {
    const least = Math.log(minP) + (drawable.logp[0] ?? 0);
    drawable = only(drawable, (k) => k === 0 || (drawable.logp[k] ?? 0) >= least);
  }
  if (typicalP < 1) drawable = typical(drawable, typicalP, only);
  if (epsilonCutoff > 0 && epsilonCutoff < 1) {
    const least = Math.log(epsilonCutoff);
    drawable = only(drawable, (k) => (drawable.logp[k] ?? 0) >= least || drawable.logp[k] === drawable.logp[0]);
  }
  if (etaCutoff > 0 && etaCutoff < 1) {
    const least = Math.log(Math.min(etaCutoff, Math.sqrt(etaCutoff) * Math.exp(-entropyOf(drawable.logp))));
    drawable = only(drawable, (k) => (drawable.logp[k] ?? 0) >= least || drawable.logp[k] === drawable.logp[0]);
  }
  return drawable;
}

/** Returns the likeliest tokens, as many as the first filter considers. */
function first(scores: Float64Array, { topK, topH }: GenerationOptions): number[] {
  if (topH !== undefined && topH > 0) return largest(scores, Math.min(ENTROPY_TOKENS, scores.length));
  const order = largest(scores, topK > 0 ? Math.min(topK, scores.length) : scores.length);
  const last = scores[order.at(-1) ?? 0] ?? 0;
  const there = new Set(order);
  if (topK > 0) scores.forEach((score, i) => score === last && !there.has(i) && order.push(i));
  return order.filter((id) => scores[id] !== -Infinity);
}

/** Returns p ln p; 0 for impossible tokens. */
const term = (logp: number): number => (logp === -Infinity ? 0 : Math.exp(logp) * logp);

function entropyOf(logp: Float64Array): number {
  return -logp.reduce((sum, logProbability) => sum + term(logProbability), 0);
}

/** Keeps the tokens whose surprisal is closest to the entropy, up to a probability mass (typical sampling). */
function typical(
  drawable: Drawable,
  mass: number,
  only: (drawable: Drawable, keeps: (k: number) => boolean) => Drawable,
): Drawable {
  const { logp } = drawable;
  const entropy = entropyOf(logp);
  const far = Array.from(logp, (x) => Math.abs(-x - entropy));
  const order = far.map((_, k) => k).sort((a, b) => (far[a] ?? 0) - (far[b] ?? 0) || a - b);
  let sum = 0;
  let below = 0;
  for (const k of order) if ((sum += Math.exp(logp[k] ?? 0)) < mass) below++;
  const most = far[order[Math.min(below, order.length - 1)] ?? 0] ?? 0;
  return only(drawable, (k) => (far[k] ?? 0) <= most);
}

/** Draws a token by a uniform number in [0, 1). */
export function sample(scores: Float64Array, uniform: number, o: GenerationOptions): number {
  const { ids, logp } = selectDrawable(scores, o);
  let left = uniform * logp.reduce((sum, logProbability) => sum + Math.exp(logProbability), 0);
  for (const [k, id] of ids.entries()) {
    left -= Math.exp(logp[k] ?? 0);
    if (left < 0) return id;
  }
  return ids.at(-1) ?? 0;
}

/** Decoding strategies: greedy search, sampling and beam search. */
import type { Random } from "../types.ts";
import { type GenerationOptions, lengthsAfterPrompt } from "./options.ts";
import { sample } from "./sample.ts";
import { argMax, largest, leavesScores, logSoftmax, processScores } from "./scores.ts";

/** Scores [rows, vocabSize] of next tokens. */
export type Scores = Readonly<{ rows: number; vocabSize: number; logits: Float32Array }>;

/** Model steps: `first` scores all prompts; `next` adds a token to each of the rows `from` of the step before. */
export interface Steps {
  first(): Promise<Scores>;
  next(from: Int32Array, tokens: Int32Array): Promise<Scores>;
}

/** The search for the continuation of one prompt. */
interface Search {
  /** Reads the scores of its rows, which start at `first`; returns rows to continue, with a token each, or none. */
  advance(scores: Scores, first: number): readonly Readonly<{ row: number; token: number }>[];
  readonly result: readonly number[];
}

/** Context of one prompt: its random stream, the room for new tokens, and the source's tokens. */
export type SearchContext = Readonly<{ random: Random; room: number; source: readonly number[] }>;

/**
 * Continues each prompt and returns the generated tokens, including the end token. `prompts`: their tokens, or the
 * decoder's start token. `contextOf`: returns the context of each prompt.
 */
export async function search(
  steps: Steps,
  prompts: readonly (readonly number[])[],
  options: GenerationOptions,
  contextOf: (prompt: number) => SearchContext,
): Promise<number[][]> {
  const searches = prompts.map((prompt, i) => {
    const { random, room, source } = contextOf(i);
    const o = lengthsAfterPrompt(options, prompt.length, room);
    return o.numBeams > 1 ? beamSearch(prompt, o, source) : singleSearch(prompt, o, source, random);
  });
  let running = searches.map((search, i) => ({ own: search, first: i }));
  let scores = await steps.first();
  while (running.length > 0) {
    const from: number[] = [];
    const tokens: number[] = [];
    const still: typeof running = [];
    for (const { own: context, first } of running) {
      const next = context.advance(scores, first);
      if (next.length > 0) still.push({ own: context, first: from.length });
      for (const { row, token } of next) {
        from.push(row);
        tokens.push(token);
      }
    }
    running = still;
    if (running.length > 0) scores = await steps.next(Int32Array.from(from), Int32Array.from(tokens));
  }
  return searches.map(({ result: generated }) => [...generated]);
}

function rowOf({ logits, vocabSize }: Scores, row: number): Float32Array {
  return logits.subarray(row * vocabSize, (row + 1) * vocabSize);
}

function singleSearch(
  prompt: readonly number[],
  o: GenerationOptions,
  source: readonly number[],
  random: Random,
): Search {
  const tokens: number[] = [];
  const plain = leavesScores(o);
  const chooseToken = (logits: Float32Array): number => {
    if (plain && !o.doSample && tokens.length >= o.minNewTokens) return argMax(logits);
    const logp = new Float64Array(logits);
    processScores(logp, { tokens: [...prompt, ...tokens], generated: tokens.length, source }, o);
    return o.doSample ? sample(logp, random.uniform(tokens.length), o) : argMax(logp);
  };
  return {
    result: tokens,
    advance: (scores, row) => {
      const token = chooseToken(rowOf(scores, row));
      tokens.push(token);
      return o.eosTokenIds.includes(token) || tokens.length >= o.maxNewTokens ? [] : [{ row, token }];
    },
  };
}

/** A text with the sum of its tokens' log probabilities. */
type Beam = Readonly<{ tokens: readonly number[]; score: number }>;

/**
 * Beam search as in transformers: those of the likeliest `numBeams` texts of a step that end are finished, with a score
 * divided by length^lengthPenalty. The search continues while a running text may still beat the finished ones.
 */
function beamSearch(prompt: readonly number[], o: GenerationOptions, source: readonly number[]): Search {
  const candidates = Math.max(2, 1 + o.eosTokenIds.length) * o.numBeams;
  let running: Beam[] = [{ tokens: [], score: 0 }];
  let finished: Beam[] = [];
  let best: readonly number[] = [];
  const normalized = (score: number, length: number): number => score / length ** o.lengthPenalty;
  const finish = (beams: readonly Beam[]): void => {
    finished = [...finished, ...beams].sort((a, b) => b.score - a.score).slice(0, o.numBeams);
    best = finished[0]?.tokens ?? best;
  };
  return {
    get result() {
      return best;
    },
    advance: (scores, first) => {
      const { vocabSize } = scores;
      const all = new Float64Array(running.length * vocabSize);
      running.forEach(({ tokens, score }, i) => {
        const logp = logSoftmax(rowOf(scores, first + i), all.subarray(i * vocabSize, (i + 1) * vocabSize));
        processScores(logp, { tokens: [...prompt, ...tokens], generated: tokens.length, source }, o);
        if (o.renormalizeLogits) logSoftmax(logp, logp);
        for (let k = 0; k < vocabSize; k++) logp[k] = (logp[k] ?? 0) + score;
      });
      const length = (running[0]?.tokens.length ?? 0) + 1;
      const next = largest(all, candidates).map((index) => {
        const [row, token] = [Math.floor(index / vocabSize), index % vocabSize];
        const tokens = [...running[row]?.tokens ?? [], token];
        const ends = length >= o.maxNewTokens || o.eosTokenIds.includes(token);
        return { row: first + row, token, tokens, score: all[index] ?? -Infinity, ends };
      });
      const ended = next.slice(0, o.numBeams).filter((beam) => beam.ends);
      finish(ended.map(({ tokens, score }) => ({ tokens, score: normalized(score, length) })));
      const goOn = next.filter((beam) => !beam.ends).slice(0, o.numBeams);
      running = goOn;
      const full = finished.length === o.numBeams;
      const reach = o.earlyStopping === "never" && o.lengthPenalty > 0 ? o.maxNewTokens : length;
      const hope = normalized(goOn[0]?.score ?? -Infinity, reach) > (finished.at(-1)?.score ?? -Infinity);
      return goOn.length === 0 || (full && (o.earlyStopping === true || !hope)) ? [] : goOn;
    },
  };
}

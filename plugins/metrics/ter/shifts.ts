/**
 * Translation edit rate of one sentence (Snover et al. 2006), with Tercom's limits on which shifts are tried.
 * @module
 */

const MAX_SHIFT_SIZE = 10;
const MAX_SHIFT_DISTANCE = 50;
const MAX_CANDIDATES = 1000;
const BEAM_WIDTH = 25;

type Op = "same" | "replace" | "insert" | "delete";
type Distance = Readonly<{ edits: number; trace: readonly Op[] }>;

/** Returns the fewest edits found that turn `guess` into `gold`; a shift of a run of words is one edit. */
export function terEdits(guess: readonly string[], gold: readonly string[]): number {
  if (gold.length === 0) return guess.length;
  let [words, shifts, tried] = [guess, 0, 0];
  while (true) {
    const best = bestShift(words, gold, tried);
    tried = best.tries;
    if (tried >= MAX_CANDIDATES || best.gain <= 0) break;
    shifts++;
    words = best.words;
  }
  return shifts + beamDistance(words, gold).edits;
}

type Shift = Readonly<{ gain: number; length: number; start: number; target: number; words: readonly string[] }>;

function bestShift(
  words: readonly string[],
  gold: readonly string[],
  triedBefore: number,
): Readonly<{ gain: number; words: readonly string[]; tries: number }> {
  const before = beamDistance(words, gold);
  const { align, goldWrong, guessWrong } = alignment(before.trace);
  let tries = triedBefore;
  let best: Shift | undefined;
  for (const [start, goldStart, length] of commonRuns(words, gold)) {
    const place = align[goldStart] ?? -1;
    if (!someIn(guessWrong, start, length) || !someIn(goldWrong, goldStart, length)) continue;
    if (place >= start && place < start + length) continue;
    let last = -1;
    for (let offset = -1; offset < length; offset++) {
      const at = goldStart + offset;
      const aligned = align[at];
      if (at >= 0 && aligned === undefined) break;
      const target = at < 0 ? 0 : (aligned ?? 0) + 1;
      if (target === last) continue;
      last = target;
      const shifted = shift(words, start, length, target);
      const candidate = {
        gain: before.edits - beamDistance(shifted, gold).edits,
        length,
        start,
        target,
        words: shifted,
      };
      tries++;
      if (!best || precedes(candidate, best)) best = candidate;
    }
    if (tries >= MAX_CANDIDATES) break;
  }
  return best ? { gain: best.gain, words: best.words, tries } : { gain: 0, words, tries };
}

/** Orders shifts: highest gain, longest run, earliest start, earliest target. */
function precedes(a: Shift, b: Shift): boolean {
  const order = a.gain - b.gain || a.length - b.length || b.start - a.start || b.target - a.target;
  return order > 0;
}

/** Yields the runs of words that both sides have, at the same or different positions. */
function* commonRuns(
  words: readonly string[],
  gold: readonly string[],
): Generator<readonly [start: number, goldStart: number, length: number]> {
  for (let i = 0; i < words.length; i++) {
    for (let j = Math.max(0, i - MAX_SHIFT_DISTANCE); j < gold.length && j - i <= MAX_SHIFT_DISTANCE; j++) {
      for (let n = 0; n < MAX_SHIFT_SIZE && i + n < words.length && j + n < gold.length; n++) {
        if (words[i + n] !== gold[j + n]) break;
        yield [i, j, n + 1];
      }
    }
  }
}

function shift(words: readonly string[], start: number, length: number, target: number): string[] {
  const run = words.slice(start, start + length);
  const rest = [...words.slice(0, start), ...words.slice(start + length)];
  const at = target < start ? target : target > start + length ? target - length : target;
  return [...rest.slice(0, at), ...run, ...rest.slice(at)];
}

function someIn(flags: readonly boolean[], start: number, length: number): boolean {
  return flags.slice(start, start + length).includes(true);
}

/** Returns the position of each gold word in the guess, and which words of either side belong to an edit. */
function alignment(
  trace: readonly Op[],
): Readonly<{ align: readonly number[]; goldWrong: readonly boolean[]; guessWrong: readonly boolean[] }> {
  const [align, goldWrong, guessWrong]: [number[], boolean[], boolean[]] = [[], [], []];
  for (const op of trace) {
    if (op !== "insert") guessWrong.push(op !== "same");
    if (op !== "delete") {
      align.push(guessWrong.length - 1);
      goldWrong.push(op !== "same");
    }
  }
  return { align, goldWrong, guessWrong };
}

/** The computed part of a row of the table: columns from `from` on. */
type Band = Readonly<{ from: number; costs: Float64Array; ops: Uint8Array }>;

const names = ["same", "replace", "delete", "insert"] as const;

/** Computes the edit distance near the diagonal, and a path; ties prefer keep or replace, delete, insert. */
function beamDistance(guess: readonly string[], gold: readonly string[]): Distance {
  const [n, m] = [guess.length, gold.length];
  const ratio = n > 0 ? m / n : 1;
  const width = BEAM_WIDTH < ratio / 2 ? Math.ceil(ratio / 2 + BEAM_WIDTH) : BEAM_WIDTH;
  const first = {
    from: 0,
    costs: Float64Array.from({ length: m + 1 }, (_, j) => j),
    ops: new Uint8Array(m + 1).fill(3),
  };
  const bands: Band[] = [first];
  let above: Band = first;
  for (let i = 1; i <= n; i++) {
    const diagonal = Math.floor(i * ratio);
    const from = Math.max(0, diagonal - width);
    const end = i === n ? m + 1 : Math.min(m + 1, diagonal + width);
    const [costs, ops] = [new Float64Array(end - from), new Uint8Array(end - from)];
    for (let j = from; j < end; j++) {
      const same = j > 0 && guess[i - 1] === gold[j - 1];
      let cost = j > 0 ? (above.costs[j - 1 - above.from] ?? Infinity) + (same ? 0 : 1) : Infinity;
      let op = same ? 0 : 1;
      const deleted = (above.costs[j - above.from] ?? Infinity) + 1;
      if (deleted < cost) [cost, op] = [deleted, 2];
      const inserted = (costs[j - 1 - from] ?? Infinity) + 1;
      if (inserted < cost) [cost, op] = [inserted, 3];
      costs[j - from] = cost;
      ops[j - from] = op;
    }
    above = { from, costs, ops };
    bands.push(above);
  }
  const trace: Op[] = [];
  for (let [i, j] = [n, m]; i > 0 || j > 0;) {
    const band = bands[i] ?? first;
    const op = j === 0 ? "delete" : names[band.ops[j - band.from] ?? 0] ?? "same";
    trace.push(op);
    if (op !== "insert") i--;
    if (op !== "delete") j--;
  }
  return { edits: above.costs[m - above.from] ?? 0, trace: trace.reverse() };
}

/** Calibration: whether predictions with a given probability are right with that frequency. */

/** Ten bins of equal width, and their mean gap of probability and accuracy, weighted by rows (ECE, Guo et al. 2017). */
export type Calibration = Readonly<{ bins: readonly Bin[]; ece: number; rows: number }>;

/** One bin (i/10, (i+1)/10]: its rows, their mean probability, and the share of them that is right. */
export type Bin = Readonly<{ rows: number; confidence: number; accuracy: number }>;

const BINS = 10;

/** Bins pairs of a probability and an outcome, 1 or 0. */
export function calibrate(pairs: Iterable<readonly [probability: number, holds: number]>): Calibration {
  const sums = Array.from({ length: BINS }, () => ({ rows: 0, confidence: 0, accuracy: 0 }));
  let rows = 0;
  for (const [probability, holds] of pairs) {
    const bin = sums[binOf(probability)];
    if (!bin || !Number.isFinite(probability)) continue;
    rows++;
    bin.rows++;
    bin.confidence += probability;
    bin.accuracy += holds;
  }
  const gap = sums.reduce((sum, bin) => sum + Math.abs(bin.confidence - bin.accuracy), 0);
  const mean = (sum: number, count: number): number => (count === 0 ? 0 : sum / count);
  return {
    bins: sums.map((bin) => ({
      rows: bin.rows,
      confidence: mean(bin.confidence, bin.rows),
      accuracy: mean(bin.accuracy, bin.rows),
    })),
    ece: mean(gap, rows),
    rows,
  };
}

function binOf(probability: number): number {
  return Math.min(BINS - 1, Math.max(0, Math.ceil(probability * BINS - 1e-9) - 1));
}

/** Bootstrap resamples: units drawn with replacement. */
import type { Random } from "../types.ts";

/** Default number of resamples of intervals. */
export const RESAMPLES = 2000;

/** Returns a function that gives the counts of units in a resample (in a reused array), determined by the stream. */
export function resamplesOf(units: number, random: Random): (sample: number) => Uint32Array {
  const counts = new Uint32Array(units);
  return (sample) => {
    const stream = random.fork("bootstrap", sample);
    counts.fill(0);
    for (let i = 0; i < units; i++) {
      const unit = Math.floor(stream.uniform(i) * units);
      counts[unit] = (counts[unit] ?? 0) + 1;
    }
    return counts;
  };
}

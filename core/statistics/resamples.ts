/** The bootstrap's resamples: units drawn with replacement. */
import type { Random } from "../types.ts";

/** Resamples of intervals, where nobody says how many. */
export const RESAMPLES = 2000;

/** How often each of so many units is there in each resample; the array is used again. The same stream gives the same ones. */
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

/**
 * The bootstrap's resamples: units drawn with replacement, those that belong together at once, and what lies within replicates.
 * @module
 */
import { type Bounds, percentileInterval } from "./intervals.ts";
import type { Random } from "../types.ts";

/** Resamples of some units. */
export type Resamples = Readonly<{
  /** Whether some units are drawn together. */
  clustered: boolean;
  /** How often each unit is there in a resample; the array is used again. */
  counts(sample: number): Uint32Array;
  /** The cluster of each unit, and how many there are. */
  clusters: Readonly<{ of: Int32Array; count: number }>;
}>;

/** How they are drawn: the same stream gives the same ones, whoever draws. */
export type ResamplesOptions = Readonly<{
  random: Random;
  /** The cluster of a row, where rows belong together: clusters are drawn with all their rows. */
  clusterOf?: ((row: number) => string) | undefined;
}>;

/** Resamples of units by the rows that they are of, -1 where a unit is no row. Units of one row stay together. */
export function resamplesOf(rows: ArrayLike<number>, { random, clusterOf }: ResamplesOptions): Resamples {
  const known = new Map<string | number, number>();
  const of = Int32Array.from(rows, (row, unit) => {
    const name = row < 0 ? -1 - unit : clusterOf ? clusterOf(row) : row;
    const cluster = known.get(name) ?? known.size;
    known.set(name, cluster);
    return cluster;
  });
  const count = known.size;
  const counts = new Uint32Array(of.length);
  const drawn = new Uint32Array(count);
  return {
    clustered: count < of.length,
    clusters: { of, count },
    counts: (sample) => {
      const stream = random.fork("bootstrap", sample);
      drawn.fill(0);
      for (let i = 0; i < count; i++) {
        const cluster = Math.floor(stream.uniform(i) * count);
        drawn[cluster] = (drawn[cluster] ?? 0) + 1;
      }
      for (let i = 0; i < of.length; i++) counts[i] = drawn[of[i] ?? 0] ?? 0;
      return counts;
    },
  };
}

/** The replicates of a value, ascending; undefined where most of so many resamples have none. */
export function sortedReplicates(replicates: readonly number[] | undefined, samples: number): Float64Array | undefined {
  return replicates && replicates.length * 2 > samples ? Float64Array.from(replicates).sort() : undefined;
}

/** The percentile interval of a value's replicates; undefined where most of so many resamples have none. */
export function replicateBounds(
  replicates: readonly number[] | undefined,
  samples: number,
  confidence: number,
): Bounds | undefined {
  const sorted = sortedReplicates(replicates, samples);
  return sorted && percentileInterval(sorted, confidence);
}

/** Random samples of rows, for results that are too many to keep for each row. */
import { createRandom, seekablePermutation } from "../../math/random.ts";

/** Returns whether a row is among `least` rows drawn by the seed; always true if there are no more rows than that. */
export function drawnRows(count: number, least: number, seed: number): (row: number) => boolean {
  if (count <= least) return () => true;
  const permutation = seekablePermutation(createRandom(seed).fork("examples"), count);
  const rows = new Set(Array.from({ length: least }, (_, place) => permutation(place)));
  return (row) => rows.has(row);
}

/** A uniform random sample of items whose number is not known in advance (Vitter's algorithm R). */
export type Reservoir<T> = Readonly<{
  add(item: T): void;
  /** Returns the sampled items in the order in which they were added. */
  items(): readonly T[];
}>;

/** Creates an empty reservoir for at most `most` items. */
export function createReservoir<T>(most: number, seed: number): Reservoir<T> {
  const random = createRandom(seed).fork("examples");
  const items: Readonly<{ item: T; at: number }>[] = [];
  let count = 0;
  return {
    add: (item) => {
      const at = count++;
      const place = at < most ? at : Math.floor(random.uniform(at) * (at + 1));
      if (place < most) items[place] = { item, at };
    },
    items: () => [...items].sort((a, b) => a.at - b.at).map(({ item }) => item),
  };
}

/** Which rows stand for all, where there are too many to keep what is found of each. */
import { createRandom, seekablePermutation } from "../../math/random.ts";

/** Whether a row is among as many as are wanted, which are drawn of all of them by the seed; all, where there are no more. */
export function drawnRows(count: number, least: number, seed: number): (row: number) => boolean {
  if (count <= least) return () => true;
  const permutation = seekablePermutation(createRandom(seed).fork("examples"), count);
  const rows = new Set(Array.from({ length: least }, (_, place) => permutation(place)));
  return (row) => rows.has(row);
}

/** Items of which so many are kept, each with the same chance however many there are (Vitter's algorithm R). */
export type Reservoir<T> = Readonly<{
  add(item: T): void;
  /** Those that were kept, in the order in which they came. */
  items(): readonly T[];
}>;

/** An empty reservoir. */
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

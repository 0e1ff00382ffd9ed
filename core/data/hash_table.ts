/** A hash table in typed arrays: about 16 bytes per entry, where a Map of strings takes hundreds. */
import { type Hash, mixBits } from "./text_hash.ts";

/** A map from hashes to numbers. */
export type HashTable = Readonly<{
  /** Returns the number of a hash; undefined if absent. */
  get(hash: Hash): number | undefined;
  set(hash: Hash, value: number): void;
  readonly size: number;
}>;

/** Creates an empty table. */
export function createHashTable(): HashTable {
  let capacity = 1024;
  let [first, second] = [new Uint32Array(capacity), new Uint32Array(capacity)];
  // Stored as number + 1, so that 0 marks an empty slot.
  let values = new Uint32Array(capacity);
  let size = 0;
  const placeOf = ([a, b]: Hash): number => {
    let place = mixBits(a ^ b) & (capacity - 1);
    while (values[place] !== 0 && (first[place] !== a >>> 0 || second[place] !== b >>> 0)) {
      place = (place + 1) & (capacity - 1);
    }
    return place;
  };
  const insert = (hash: Hash, value: number): void => {
    const place = placeOf(hash);
    if (values[place] === 0) size++;
    [first[place], second[place], values[place]] = [hash[0], hash[1], value];
  };
  const grow = (): void => {
    const old = [first, second, values] as const;
    capacity *= 2;
    size = 0;
    [first, second, values] = [new Uint32Array(capacity), new Uint32Array(capacity), new Uint32Array(capacity)];
    old[2].forEach((value, i) => value !== 0 && insert([old[0][i] ?? 0, old[1][i] ?? 0], value));
  };
  return {
    get: (hash) => {
      const value = values[placeOf(hash)] ?? 0;
      return value === 0 ? undefined : value - 1;
    },
    set: (hash, value) => {
      // At a load of three quarters, lookups are still short, and ten million hashes take 200 MB.
      if (4 * size >= 3 * capacity) grow();
      insert(hash, value + 1);
    },
    get size() {
      return size;
    },
  };
}

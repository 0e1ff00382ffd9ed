/** Finds shared keys of MinHash bands, in as many passes as the memory limit requires. */
import { createHashTable } from "../../core/data/hash_table.ts";
import { mixBits } from "../../core/data/text_hash.ts";
import type { HashSet } from "./words.ts";

/** Limit of the keys in memory, in bytes: enough for all 32 bands of two million rows. */
const KEY_BYTES = 256 * 2 ** 20;

/** Rows between two checks of the memory that keys take. */
const BETWEEN = 4096;

/** Tells in which bands the key of a row occurs in another row, too. */
export type SharedKeys = Readonly<{
  /** The number of rows. */
  count: number;
  has(row: number, band: number): boolean;
  any(row: number): boolean;
}>;

/** Returns the numbers 0 to bands - 1. */
export function allBands(bands: number): readonly number[] {
  return Array.from({ length: bands }, (_, band) => band);
}

/**
 * Finds the keys that rows share; `sets` may be iterated several times. Needs one bit per row and band, and four bytes
 * per row and band of a pass: if these exceed `mostBytes`, some bands wait for the next pass.
 */
export async function sharedKeys(
  sets: AsyncIterable<HashSet>,
  bands: number,
  size: number,
  mostBytes: number = KEY_BYTES,
): Promise<SharedKeys> {
  const shared: Uint8Array[] = [];
  let count = 0;
  let most = bands;
  while (shared.length < bands) {
    const bandKeys = allBands(bands).slice(shared.length, shared.length + most);
    const signer = createSigner(bandKeys, size);
    const columns = bandKeys.map(growing);
    count = 0;
    for await (const set of sets) {
      const keys = signer(set);
      for (let i = 0; i < columns.length; i++) columns[i]?.push(keys[i] ?? 0);
      if (++count % BETWEEN > 0 || 4 * count * columns.length <= mostBytes) continue;
      // Bands that do not fit wait for the next pass.
      columns.length = Math.max(1, Math.floor(mostBytes / (4 * count)));
    }
    most = columns.length;
    while (columns.length > 0) {
      const keys = columns.shift()?.all();
      if (keys) shared.push(marked(keys));
    }
  }
  const has = (row: number, band: number): boolean => (((shared[band]?.[row >> 3] ?? 0) >> (row & 7)) & 1) === 1;
  return { count, has, any: (row) => shared.some((_, band) => has(row, band)) };
}

/** Returns a bit for each key: whether it occurs more than once. */
function marked(keys: Uint32Array): Uint8Array {
  const bits = new Uint8Array(Math.ceil(keys.length / 8));
  const sorted = keys.slice().sort();
  const twice = createHashTable();
  for (let i = 1; i < sorted.length; i++) if (sorted[i] === sorted[i - 1]) twice.set([sorted[i] ?? 0, 0], 0);
  if (twice.size === 0) return bits;
  keys.forEach((key, row) => {
    if (twice.get([key, 0]) !== undefined) bits[row >> 3] = (bits[row >> 3] ?? 0) | (1 << (row & 7));
  });
  return bits;
}

/**
 * Returns a function for a set's signature: for each band a hash of the minima of its permutations. The array is
 * reused.
 */
export function createSigner(bands: readonly number[], size: number): (set: HashSet) => Uint32Array {
  const numbers = bands.flatMap((band) => Array.from({ length: size }, (_, k) => band * size + k));
  const count = numbers.length;
  // Odd factors are permutations of the 32-bit numbers.
  const factors = Int32Array.from(numbers, (i) => mixBits(2 * i + 1) | 1);
  const offsets = Int32Array.from(numbers, (i) => mixBits(2 * i + 2));
  const least = new Uint32Array(count);
  const keys = new Uint32Array(bands.length);
  return (set) => {
    least.fill(0xffffffff);
    for (let i = 0; i < set.length; i += 2) {
      const value = mixBits((set[i] ?? 0) ^ Math.imul(set[i + 1] ?? 0, 0x9e3779b1));
      for (let k = 0; k < count; k++) {
        const permuted = (Math.imul(value, factors[k] ?? 1) + (offsets[k] ?? 0)) >>> 0;
        if (permuted < (least[k] ?? 0)) least[k] = permuted;
      }
    }
    for (let band = 0; band < bands.length; band++) {
      let key = 0;
      for (let k = band * size; k < (band + 1) * size; k++) key = mixBits(key ^ (least[k] ?? 0));
      keys[band] = key;
    }
    return keys;
  };
}

/** Returns a growing array of 32-bit numbers. */
export function growing(): Readonly<{ push(value: number): void; all(): Uint32Array }> {
  let [values, size] = [new Uint32Array(1024), 0];
  return {
    push: (value) => {
      if (size === values.length) {
        const larger = new Uint32Array(2 * size);
        larger.set(values);
        values = larger;
      }
      values[size++] = value;
    },
    all: () => values.subarray(0, size),
  };
}

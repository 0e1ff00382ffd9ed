/**
 * Which texts are the same, and which nearly: clusters of texts by Jaccard's similarity of their shingles. MinHash finds
 * candidates, each of which is verified exactly (Broder 1997; Leskovec et al., Mining of Massive Datasets, 3).
 * @module
 */
import { badValue } from "../../core/base/errors.ts";
import { createHashTable } from "../../core/data/hash_table.ts";
import { hashOf, mixed } from "../../core/data/text_hash.ts";
import { type HashSet, hashSet, jaccard, shinglesOf } from "./words.ts";

/** Texts that may be gone through several times; there may be more of them than there is memory. */
export type Texts = AsyncIterable<string>;

/** Rows by cluster: `first[i]` is the first row of the cluster that row i is in. */
export type Clusters = Readonly<{ first: Uint32Array }>;

/** Clusters of texts that are alike. `uncompared`: candidates that were passed over, where very many are alike. */
export type NearClusters = Clusters & Readonly<{ uncompared: number }>;

/** How near duplicates are found. `bands`, `rows`: of the signatures; null: as the threshold wants it. */
export type NearOptions = Readonly<{
  threshold: number;
  ngram: number;
  permutations: number;
  bands: number | null;
  rows: number | null;
}>;

/** The share of pairs at the threshold that become candidates, at least. */
const RECALL = 0.99;

/** Other rows of a bucket that a row is compared with, at most. */
export const MOST_COMPARED = 64;

/** Texts that are equal, told by hashes of 64 bits. */
export async function exactClusters(texts: Texts): Promise<Clusters> {
  const table = createHashTable();
  const first = growing();
  let at = 0;
  for await (const text of texts) {
    const hash = hashOf(text);
    const known = table.get(hash);
    if (known === undefined) table.set(hash, at);
    first.push(known ?? at);
    at++;
  }
  return { first: first.all() };
}

/**
 * Bands and rows of signatures so that pairs at the threshold are missed once in a hundred at most, with as few other pairs
 * among the candidates as that leaves. Throws AttuneError where there are not as many permutations.
 */
export function bandsFor(plugin: string, { threshold, permutations, bands, rows }: NearOptions): [number, number] {
  if (bands !== null || rows !== null) {
    const chosen: [number, number] = [
      bands ?? Math.floor(permutations / (rows ?? 1)),
      rows ?? Math.floor(permutations / (bands ?? 1)),
    ];
    if (chosen[0] * chosen[1] <= permutations && chosen[0] >= 1 && chosen[1] >= 1) return chosen;
    throw badValue(plugin, "bands", chosen.join(" x "), `bands x rows of at most ${permutations} permutations`);
  }
  for (let size = permutations; size > 1; size--) {
    const count = Math.floor(permutations / size);
    if (1 - Math.pow(1 - Math.pow(threshold, size), count) >= RECALL) return [count, size];
  }
  return [permutations, 1];
}

/** Texts that are alike: the connected components of the pairs whose similarity is at least the threshold. */
export async function nearClusters(plugin: string, texts: Texts, options: NearOptions): Promise<NearClusters> {
  const { ngram, threshold } = options;
  const [bands, size] = bandsFor(plugin, options);
  const signer = createSigner(bands, size);
  const keys = growing();
  for await (const text of texts) for (const key of signer(hashSet(shinglesOf(text, ngram)))) keys.push(key);
  const all = keys.all();
  const count = all.length / bands;
  const shared = sharedKeys(all, count, bands);
  const components = createComponents(count);
  const buckets = new Map<number, number[]>();
  const sets = new Map<number, HashSet>();
  let [at, uncompared] = [0, 0];
  for await (const text of texts) {
    const row = at++;
    // Rows that share no key with another need no second look.
    if (!Array.from({ length: bands }, (_, band) => band).some((band) => shared.has(row * bands + band))) continue;
    const own = hashSet(shinglesOf(text, ngram));
    for (let band = 0; band < bands; band++) {
      if (!shared.has(row * bands + band)) continue;
      const key = band * 2 ** 32 + (all[row * bands + band] ?? 0);
      const others = buckets.get(key) ?? [];
      buckets.set(key, others);
      let isSame = false;
      for (const other of others.slice(-MOST_COMPARED)) {
        const similarity = jaccard(own, sets.get(other) ?? own);
        if (similarity >= threshold) components.join(row, other);
        // What is like an equal set is like this one.
        if (similarity === 1) isSame = true;
        if (isSame) break;
      }
      if (isSame) continue;
      uncompared += Math.max(0, others.length - MOST_COMPARED);
      others.push(row);
      sets.set(row, own);
    }
  }
  return { first: components.first(), uncompared };
}

/** A set's signature: for each band a hash of the smallest values of its permutations, in an array that is written over. */
export function createSigner(bands: number, size: number): (set: HashSet) => Uint32Array {
  const count = bands * size;
  // Odd factors make permutations of the numbers of 32 bits.
  const factors = Int32Array.from({ length: count }, (_, i) => mixed(2 * i + 1) | 1);
  const offsets = Int32Array.from({ length: count }, (_, i) => mixed(2 * i + 2));
  const least = new Uint32Array(count);
  const keys = new Uint32Array(bands);
  return (set) => {
    least.fill(0xffffffff);
    for (let i = 0; i < set.length; i += 2) {
      const value = mixed((set[i] ?? 0) ^ Math.imul(set[i + 1] ?? 0, 0x9e3779b1));
      for (let k = 0; k < count; k++) {
        const permuted = (Math.imul(value, factors[k] ?? 1) + (offsets[k] ?? 0)) >>> 0;
        if (permuted < (least[k] ?? 0)) least[k] = permuted;
      }
    }
    for (let band = 0; band < bands; band++) {
      let key = 0;
      for (let k = band * size; k < (band + 1) * size; k++) key = mixed(key ^ (least[k] ?? 0));
      keys[band] = key;
    }
    return keys;
  };
}

/** Which keys of rows stand in their band more than once; bands are sorted one after the other. */
function sharedKeys(keys: Uint32Array, count: number, bands: number): Readonly<{ has(at: number): boolean }> {
  const shared = new Uint8Array(Math.ceil(keys.length / 8));
  const mark = (at: number): void => {
    shared[at >> 3] = (shared[at >> 3] ?? 0) | (1 << (at & 7));
  };
  const own = new Uint32Array(count);
  for (let band = 0; band < bands; band++) {
    for (let row = 0; row < count; row++) own[row] = keys[row * bands + band] ?? 0;
    const sorted = own.slice().sort();
    const twice = createHashTable();
    for (let i = 1; i < count; i++) if (sorted[i] === sorted[i - 1]) twice.set([sorted[i] ?? 0, 0], 0);
    if (twice.size === 0) continue;
    for (let row = 0; row < count; row++) if (twice.get([own[row] ?? 0, 0]) !== undefined) mark(row * bands + band);
  }
  return { has: (at) => ((shared[at >> 3] ?? 0) & (1 << (at & 7))) !== 0 };
}

/** Rows that are joined, by the first of each (union-find). */
function createComponents(count: number): Readonly<{ join(a: number, b: number): void; first(): Uint32Array }> {
  const parent = Uint32Array.from({ length: count }, (_, i) => i);
  const rootOf = (row: number): number => {
    let at = row;
    for (let up = parent[at] ?? at; up !== at; up = parent[at] ?? at) {
      parent[at] = parent[up] ?? up;
      at = up;
    }
    return at;
  };
  return {
    join: (a, b) => {
      const [one, other] = [rootOf(a), rootOf(b)];
      parent[Math.max(one, other)] = Math.min(one, other);
    },
    first: () => Uint32Array.from({ length: count }, (_, i) => rootOf(i)),
  };
}

/** Numbers of 32 bits, as many as there come. */
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

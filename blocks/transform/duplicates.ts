/**
 * Which texts are the same, and which nearly: clusters of texts by Jaccard's similarity of their shingles. MinHash finds
 * candidates, each of which is verified exactly (Broder 1997; Leskovec et al., Mining of Massive Datasets, 3).
 */
import { badValue } from "../../core/base/errors.ts";
import { createHashTable } from "../../core/data/hash_table.ts";
import { hashOf } from "../../core/data/text_hash.ts";
import { allBands, createSigner, growing, type SharedKeys, sharedKeys } from "./band_keys.ts";
import { createMarks, type Marks } from "../../core/data/marks.ts";
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
 * among the candidates as that leaves. Throws AttuneError if there are not as many permutations.
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

/** Bytes that may be in memory of keys, and of rows that others are compared with. */
export type NearBytes = Readonly<{ keys?: number | undefined; compared?: number | undefined }>;

/**
 * Texts that are alike: the connected components of the pairs whose similarity is at least the threshold. Texts are gone through
 * twice, and once more for each part of the bands whose keys do not fit into memory together with the others', and for each
 * part of the rows with candidates whose shingles do not.
 */
export async function nearClusters(
  plugin: string,
  texts: Texts,
  options: NearOptions,
  most: NearBytes = {},
): Promise<NearClusters> {
  const { ngram } = options;
  const [bands, size] = bandsFor(plugin, options);
  const sets = {
    [Symbol.asyncIterator]: async function* () {
      for await (const text of texts) yield hashSet(shinglesOf(text, ngram));
    },
  };
  const shared = await sharedKeys(sets, bands, size, most.keys);
  const components = createComponents(shared.count);
  const all = { texts, options, shared, bands, signer: createSigner(allBands(bands), size), components };
  // Rows that are the same as one before: whoever is like them is like that one.
  const repeats = createMarks();
  let [from, uncompared] = [0, 0];
  while (from < shared.count) {
    const part = await comparePart(all, repeats, from, most.compared ?? COMPARED_BYTES);
    from = part.end;
    uncompared += part.uncompared;
  }
  return { first: components.first(), uncompared };
}

/** What rows are compared with. */
type Comparing = Readonly<{
  texts: Texts;
  options: NearOptions;
  shared: SharedKeys;
  bands: number;
  signer: (set: HashSet) => Uint32Array;
  components: Components;
}>;

/** Joins rows with those from `from` on, as many as there is memory for, that they are like; `end`: the first for which there was none. */
async function comparePart(
  { texts, options: { ngram, threshold }, shared, bands, signer, components }: Comparing,
  repeats: Marks,
  from: number,
  mostBytes: number,
): Promise<Readonly<{ end: number; uncompared: number }>> {
  const buckets = createBuckets();
  let [at, end, uncompared] = [0, shared.count, 0];
  for await (const text of texts) {
    const row = at++;
    // Rows that share no key with another need no second look.
    if (row < from || !shared.any(row) || repeats.has(row)) continue;
    const hashes = hashSet(shinglesOf(text, ngram));
    const keys = signer(hashes);
    for (let band = 0; band < bands; band++) {
      if (!shared.has(row, band)) continue;
      const others = buckets.of(band, keys[band] ?? 0);
      let isSame = false;
      for (const other of others.slice(-MOST_COMPARED)) {
        const similarity = jaccard(hashes, buckets.set(other) ?? hashes);
        if (similarity >= threshold) components.join(row, other);
        // What is like an equal set is like this one.
        if (similarity === 1) isSame = true;
        if (isSame) break;
      }
      if (isSame) repeats.add(row);
      if (isSame || row >= end) continue;
      uncompared += Math.max(0, others.length - MOST_COMPARED);
      buckets.add(band, keys[band] ?? 0, row, hashes);
    }
    if (row < end && buckets.bytes() > mostBytes) end = row + 1;
  }
  return { end, uncompared };
}

/** Bytes of rows that others are compared with. */
export const COMPARED_BYTES: number = 256 * 2 ** 20;

/** Bytes that an array of numbers takes besides these, as measured on Node. */
export const ARRAY_BYTES = 200;

/** The same of a row in a bucket. */
const ENTRY_BYTES = 120;

/** Rows by the keys of their bands, each with its set; what they take is counted. */
function createBuckets(): Readonly<{
  of(band: number, key: number): readonly number[];
  set(row: number): HashSet | undefined;
  add(band: number, key: number, row: number, own: HashSet): void;
  bytes(): number;
}> {
  const buckets = new Map<number, number[]>();
  const sets = new Map<number, HashSet>();
  let bytes = 0;
  return {
    of: (band, key) => buckets.get(band * 2 ** 32 + key) ?? [],
    set: (row) => sets.get(row),
    add: (band, key, row, own) => {
      const bucket = buckets.get(band * 2 ** 32 + key);
      if (bucket) bucket.push(row);
      else buckets.set(band * 2 ** 32 + key, [row]);
      bytes += ENTRY_BYTES + (sets.has(row) ? 0 : own.byteLength + ARRAY_BYTES);
      sets.set(row, own);
    },
    bytes: () => bytes,
  };
}

type Components = Readonly<{ join(a: number, b: number): void; first(): Uint32Array }>;

/** Rows that are joined, by the first of each (union-find). */
function createComponents(count: number): Components {
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

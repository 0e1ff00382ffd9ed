/**
 * Exact and near duplicates: clusters of texts by the Jaccard similarity of their shingles. MinHash finds candidates,
 * each of which is verified exactly (Broder 1997; Leskovec et al., Mining of Massive Datasets, 3).
 */
import { badValue } from "../../core/base/errors.ts";
import { createHashTable } from "../../core/data/hash_table.ts";
import { hashOf } from "../../core/data/text_hash.ts";
import { allBands, createSigner, growing, type SharedKeys, sharedKeys } from "./band_keys.ts";
import { createMarks, type Marks } from "../../core/data/marks.ts";
import { type HashSet, hashSet, jaccard, shinglesOf } from "./words.ts";

/** Texts that can be iterated several times; there may be more of them than fit into memory. */
export type Texts = AsyncIterable<string>;

/** Rows by cluster: `first[i]` is the first row of row i's cluster. */
export type Clusters = Readonly<{ first: Uint32Array }>;

/** Clusters of similar texts. `uncompared`: candidates that were skipped because very many texts are similar. */
export type NearClusters = Clusters & Readonly<{ uncompared: number }>;

/** How near duplicates are found. `bands`, `rows`: the signatures' sizes; null: derived from the threshold. */
export type NearOptions = Readonly<{
  threshold: number;
  ngram: number;
  permutations: number;
  bands: number | null;
  rows: number | null;
}>;

/** The smallest share of pairs at the threshold that become candidates. */
const RECALL = 0.99;

/** The largest number of other rows in a bucket that a row is compared with. */
export const MOST_COMPARED = 64;

/** Returns clusters of equal texts, identified by 64-bit hashes. */
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
 * Returns the signatures' bands and rows that miss at most 1 in 100 pairs at the threshold, with as few other
 * candidates as possible. Throws AttuneError if there are not enough permutations.
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

/** Memory limits in bytes, for keys and for rows that others are compared with. */
export type NearBytes = Readonly<{ keys?: number | undefined; compared?: number | undefined }>;

/**
 * Returns clusters of similar texts: the connected components of pairs whose similarity is at least the threshold.
 * Texts are read twice, and again for each further part of the bands whose keys exceed the memory limit, and for each
 * further part of the rows with candidates whose shingles exceed it.
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
  // Rows equal to an earlier row: whatever is similar to them is similar to that row.
  const repeats = createMarks();
  let [from, uncompared] = [0, 0];
  while (from < shared.count) {
    const part = await comparePart(all, repeats, from, most.compared ?? COMPARED_BYTES);
    from = part.end;
    uncompared += part.uncompared;
  }
  return { first: components.first(), uncompared };
}

/** What rows are compared with, and how. */
type Comparing = Readonly<{
  texts: Texts;
  options: NearOptions;
  shared: SharedKeys;
  bands: number;
  signer: (set: HashSet) => Uint32Array;
  components: Components;
}>;

/** Joins similar rows among those from `from` on that fit into memory. `end`: the first row that did not fit. */
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
    // A row that shares no key with another has no candidates.
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
        // A row similar to an equal set is similar to this one.
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

/** Default limit of the rows that others are compared with, in bytes. */
export const COMPARED_BYTES: number = 256 * 2 ** 20;

/** Overhead of an array of numbers in bytes, measured on Node. */
export const ARRAY_BYTES = 200;

/** Memory of a row's entry in a bucket, in bytes. */
const ENTRY_BYTES = 120;

/** Returns buckets of rows by band and key, and their sets, with a count of the memory that they take. */
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

/** Returns the components of joined rows, identified by their first row (union-find). */
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

/**
 * Rows of one set that are like rows of another: MinHash finds candidates, each of which is verified exactly.
 * @module
 */
import { createHashTable } from "../../core/data/hash_table.ts";
import type { Hash } from "../../core/data/text_hash.ts";
import { allBands, createSigner, growing } from "./band_keys.ts";
import { bandsFor, MOST_COMPARED, type NearOptions } from "./duplicates.ts";
import { type HashSet, hashSet, jaccard, shinglesOf } from "./words.ts";

/** A row: the text that is compared, and the hash of all that it says: rows of equal hashes are the same, not near. */
export type ComparedRow = Readonly<{ text: string; hash: Hash }>;

/** Which rows are near: how many of `other` and of `rows`, and the first of them by the number of the row. */
export type NearPairs = Readonly<{
  other: number;
  rows: number;
  first: readonly Readonly<{ row: number; other: number; similarity: number; text: string }>[];
  /** Candidates that were passed over, where very many rows are alike: there may be more near rows than are counted. */
  uncompared: number;
}>;

/** Rows that are like one of `other`, of which what is compared is in memory; `rows` pass by. Throws AttuneError as `bandsFor` does. */
export async function nearPairs(
  plugin: string,
  rows: AsyncIterable<ComparedRow>,
  other: AsyncIterable<ComparedRow>,
  options: NearOptions & Readonly<{ named: number }>,
): Promise<NearPairs> {
  const { ngram, threshold, named } = options;
  const [bands, size] = bandsFor(plugin, options);
  const signer = createSigner(allBands(bands), size);
  const table = createHashTable();
  const next = growing();
  const sets: HashSet[] = [];
  const hashes: Hash[] = [];
  for await (const { text, hash } of other) {
    const set = hashSet(shinglesOf(text, ngram));
    const row = sets.push(set) - 1;
    hashes.push(hash);
    signer(set).forEach((key, band) => {
      // Entries of a bucket are a chain: the last row of it, and for each row the one before. 0: none.
      next.push((table.get([key, band]) ?? -1) + 1);
      table.set([key, band], row * bands + band);
    });
  }
  const chain = next.all();
  const leaked = new Set<number>();
  const first: { row: number; other: number; similarity: number; text: string }[] = [];
  let [at, near, uncompared] = [0, 0, 0];
  for await (const { text, hash } of sets.length > 0 ? rows : []) {
    const row = at++;
    const own = hashSet(shinglesOf(text, ngram));
    const candidates = new Set<number>();
    signer(own).forEach((key, band) => {
      let entry = (table.get([key, band]) ?? -1) + 1;
      for (let seen = 0; entry > 0; entry = chain[entry - 1] ?? 0) {
        if (seen++ < MOST_COMPARED) candidates.add(Math.floor((entry - 1) / bands));
        else uncompared++;
      }
    });
    let best: { other: number; similarity: number } | undefined;
    for (const candidate of [...candidates].sort((a, b) => a - b)) {
      const [a, b] = hashes[candidate] ?? [0, 0];
      if (a === hash[0] && b === hash[1]) continue;
      const similarity = jaccard(own, sets[candidate] ?? own);
      if (similarity < threshold) continue;
      leaked.add(candidate);
      if (!best || similarity > best.similarity) best = { other: candidate, similarity };
    }
    if (!best) continue;
    near++;
    if (first.length < named) first.push({ row, ...best, text });
  }
  return { other: leaked.size, rows: near, first, uncompared };
}

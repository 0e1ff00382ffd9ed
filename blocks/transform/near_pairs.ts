/** Rows of one set that are similar to rows of another: MinHash finds candidates, each of which is verified exactly. */
import { createHashTable } from "../../core/data/hash_table.ts";
import type { Hash } from "../../core/data/text_hash.ts";
import { allBands, createSigner, growing } from "./band_keys.ts";
import { ARRAY_BYTES, bandsFor, COMPARED_BYTES, MOST_COMPARED, type NearOptions } from "./duplicates.ts";
import { createMarks } from "../../core/data/marks.ts";
import { type HashSet, hashSet, jaccard, shinglesOf } from "./words.ts";

/**
 * A row: the text to compare, and a hash of all its content; rows with equal hashes are the same, not near-duplicates.
 */
export type ComparedRow = Readonly<{ text: string; hash: Hash }>;

/** Near duplicates: the numbers of such rows in `other` and in `rows`, and the first of them by row number. */
export type NearPairs = Readonly<{
  other: number;
  rows: number;
  first: readonly Readonly<{ row: number; other: number; similarity: number; text: string }>[];
  /** Candidates that were skipped because very many rows are similar; near duplicates may be among them. */
  uncompared: number;
}>;

/**
 * Finds rows that are similar to a row of `other`. At most `mostBytes` of `other` are in memory at a time; `rows` are
 * read once for each such part. Throws AttuneError as `bandsFor` does.
 */
export async function nearPairs(
  plugin: string,
  rows: AsyncIterable<ComparedRow>,
  other: AsyncIterable<ComparedRow>,
  options: NearOptions & Readonly<{ mostNamed: number }>,
  mostBytes: number = COMPARED_BYTES,
): Promise<NearPairs> {
  const { ngram, threshold, mostNamed } = options;
  const [bands, size] = bandsFor(plugin, options);
  const signer = createSigner(allBands(bands), size);
  const [leaked, near] = [createMarks(), createMarks()];
  let first = new Map<number, NearPairs["first"][number]>();
  let [from, uncompared] = [0, 0];
  const others = other[Symbol.asyncIterator]();
  for (;;) {
    const part = await readPart(others, { ngram, bands, signer }, mostBytes);
    if (part.count === 0) break;
    let [at, listed] = [0, 0];
    for await (const { text, hash } of rows) {
      const row = at++;
      const hashed = hashSet(shinglesOf(text, ngram));
      const matches = part.candidates(signer(hashed));
      uncompared += matches.uncompared;
      let best = first.get(row);
      let isNear = false;
      for (const candidate of matches.rows) {
        const [a, b] = part.hashes[candidate] ?? [0, 0];
        if (a === hash[0] && b === hash[1]) continue;
        const similarity = jaccard(hashed, part.sets[candidate] ?? hashed);
        if (similarity < threshold) continue;
        isNear = true;
        leaked.add(from + candidate);
        if (!best || similarity > best.similarity) best = { row, other: from + candidate, similarity, text };
      }
      if (!isNear) continue;
      near.add(row);
      if (best && listed++ < mostNamed) first.set(row, best);
    }
    from += part.count;
    // The first rows of all parts are among the first of each part.
    first = new Map([...first].sort(([a], [b]) => a - b).slice(0, mostNamed));
  }
  return { other: leaked.count(), rows: near.count(), first: [...first.values()], uncompared };
}

/** Rows that others are compared with. */
type Part = Readonly<{
  count: number;
  sets: readonly HashSet[];
  hashes: readonly Hash[];
  /** Returns the rows that share a key with the given ones, in order. */
  candidates(keys: Uint32Array): Readonly<{ rows: readonly number[]; uncompared: number }>;
}>;

/** How rows are turned into sets and keys. */
type Signing = Readonly<{ ngram: number; bands: number; signer: (set: HashSet) => Uint32Array }>;

/** Reads the next rows, as many as fit. */
async function readPart(
  others: AsyncIterator<ComparedRow>,
  { ngram, bands, signer }: Signing,
  mostBytes: number,
): Promise<Part> {
  const table = createHashTable();
  const next = growing();
  const sets: HashSet[] = [];
  const hashes: Hash[] = [];
  for (let bytes = 0; bytes <= mostBytes;) {
    const { value, done } = await others.next();
    if (done) break;
    const set = hashSet(shinglesOf(value.text, ngram));
    const row = sets.push(set) - 1;
    hashes.push(value.hash);
    signer(set).forEach((key, band) => {
      // Entries of a bucket are a linked list: its last row, and for each row the previous one. 0: none.
      next.push((table.get([key, band]) ?? -1) + 1);
      table.set([key, band], row * bands + band);
    });
    bytes += set.byteLength + 2 * ARRAY_BYTES + bands * TABLE_BYTES;
  }
  const chain = next.all();
  return {
    count: sets.length,
    sets,
    hashes,
    candidates: (keys) => {
      const rows = new Set<number>();
      let uncompared = 0;
      keys.forEach((key, band) => {
        let entry = (table.get([key, band]) ?? -1) + 1;
        for (let seen = 0; entry > 0; entry = chain[entry - 1] ?? 0) {
          if (seen++ < MOST_COMPARED) rows.add(Math.floor((entry - 1) / bands));
          else uncompared++;
        }
      });
      return { rows: [...rows].sort((a, b) => a - b), uncompared };
    },
  };
}

/** Memory of a key in the table and the list, in bytes. */
const TABLE_BYTES = 32;

/** Duplicates and contamination beside exact comparison. */
import assert from "node:assert/strict";
import { contaminatedRows, hashSet, jaccard, nearClusters, shinglesOf } from "../../../blocks/transform/mod.ts";
import { type Check, check } from "../../../conformance/check.ts";
import type { Named } from "../../../core/types.ts";

/** `duplicates.json`: how alike texts are, and the clusters of a corpus. */
export type DuplicateFigures = Readonly<{
  pairs: readonly Readonly<{ first: string; second: string; words3: number; words5: number }>[];
  corpus: readonly string[];
  clusters: readonly (readonly number[])[];
}>;

/** `contamination.json`: rows of training that share words with those of evaluation, by how many words. */
export type ContaminationFigures = Readonly<{
  train: readonly string[];
  eval: readonly string[];
  expected: Named<readonly unknown[]>;
}>;

/** Similarities within 1e-12, and every cluster. */
export function duplicateChecks({ pairs, corpus, clusters }: DuplicateFigures): Check[] {
  return [
    ...pairs.map(({ first, second, words3, words5 }, i) =>
      check(`how alike pair ${i} is`, () => {
        for (const [n, wanted] of [[3, words3], [5, words5]] as const) {
          const similarity = jaccard(hashSet(shinglesOf(first, n)), hashSet(shinglesOf(second, n)));
          assert.ok(Math.abs(similarity - wanted) < 1e-12, `${similarity} for ${wanted}, ${n} words`);
        }
      })
    ),
    check("clusters of the corpus", async () => {
      const options = { threshold: 0.8, ngram: 3, permutations: 256, bands: null, rows: null };
      const { first } = await nearClusters("parity", passing(corpus), options);
      const found = new Map<number, number[]>();
      first.forEach((cluster, i) => found.set(cluster, [...found.get(cluster) ?? [], i]));
      assert.deepEqual([...found.values()].filter(({ length }) => length > 1), clusters);
    }),
  ];
}

function passing<T>(items: Iterable<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: async function* () {
      yield* items;
    },
  };
}

/** Every row that shares words, and with which. */
export function contaminationChecks({ train, eval: others, expected }: ContaminationFigures): Check[] {
  return Object.entries(expected).map(([n, wanted]) =>
    check(`rows that share ${n} words`, async () => {
      const forbidden = others.map((text, of) => ({ text, of }));
      const of = await contaminatedRows(passing(train), passing(forbidden), Number(n));
      const found = train.flatMap((_, i) => (of[i] ? [{ train: i, eval: [of[i] - 1] }] : []));
      assert.deepEqual(found, wanted);
    })
  );
}

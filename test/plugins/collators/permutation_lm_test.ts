/** Orders of prediction: what is hidden from what. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { createRandom } from "../../../core/math/random.ts";
import type { CollatorContext, Field, Named, Tokenizer } from "../../../core/types.ts";
import { permutationLm } from "../../../plugins/collators/permutation_lm.ts";

const N = 24;
const tokenizer = {
  specialTokenIds: { mask: 4, pad: 0 },
  vocabSize: 99,
  encode: () => [{
    ids: Int32Array.from({ length: N }, (_, i) => 10 + i),
    typeIds: new Int32Array(N),
    specialTokensMask: Int32Array.from({ length: N }, (_, i) => (i >= N - 2 ? 1 : 0)),
  }],
} as unknown as Tokenizer;
const context = { tokenizer, requiresLabels: true, maxLength: N } as unknown as CollatorContext;

it("what is told is masked, hidden from all that comes no later, and never from itself alone", () => {
  const collator = permutationLm();
  const [sample] = collator.encode({ text: "" }, 0, context);
  assert.ok(sample && collator.resample);
  let masked = 0;
  for (let epoch = 0; epoch < 50; epoch++) {
    const fields: Named<Field> = collator.resample(sample, createRandom(1).fork(epoch), context).sequences[0]?.fields ??
      {};
    const labels = fields.labels?.data ?? [];
    const hides = (i: number, j: number): boolean => fields.perm_mask?.data[i * N + j] === 1;
    for (let j = 0; j < N; j++) {
      const isTold = labels[j] !== -100;
      if (isTold) masked++;
      assert.equal(fields.input_ids?.data[j], isTold ? 4 : 10 + j);
      // A token that is told is hidden from its own place, and from every text token that is not told.
      assert.equal(hides(j, j), isTold);
      for (let i = 0; i < N; i++) {
        if (!isTold) assert.ok(!hides(i, j), "what is not told is seen by all");
        else if (i < N - 2 && labels[i] === -100) assert.ok(hides(i, j));
        // Of two that are told, exactly one sees the other.
        if (isTold && labels[i] !== -100 && i !== j) assert.notEqual(hides(i, j), hides(j, i));
      }
    }
    assert.ok(labels[N - 1] === -100 && labels[N - 2] === -100, "special tokens are never told");
  }
  const share = masked / (50 * N);
  assert.ok(share > 0.1 && share < 0.25, String(share));
});

it("targets elsewhere than at their own places are refused", () => {
  const square = (n: number, at: (i: number, j: number) => number): number[][] =>
    Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => at(i, j)));
  const row = {
    input_ids: [1, 2],
    perm_mask: square(2, () => 0),
    target_mapping: square(2, () => 1),
    labels: [1, -100],
  };
  assert.throws(() => permutationLm().encode(row, 7, context), /row 7.*target_mapping/);
});

it("fewer targets than tokens are labels at the places that they are sent to", () => {
  const mapping = (places: readonly number[]): number[][] =>
    places.map((p) => [0, 1, 2, 3].map((j) => (j === p ? 1 : 0)));
  const row = (targets: number[][], labels: readonly number[]) => ({
    input_ids: [5, 6, 7, 8],
    perm_mask: [0, 1, 2, 3].map(() => [0, 1, 0, 1]),
    target_mapping: targets,
    labels,
  });
  const labelsOf = (targets: number[][], labels: readonly number[]): number[] => {
    const [sample] = permutationLm().encode(row(targets, labels), 0, context);
    return [...sample?.sequences[0]?.fields.labels?.data ?? []];
  };
  assert.deepEqual(labelsOf(mapping([3, 1]), [30, 10]), [-100, 10, -100, 30]);
  assert.deepEqual(labelsOf(mapping([3, -1]), [30, -100]), [-100, -100, -100, 30]);
  // As many as there are tokens: each at its own place, or nowhere where transformers' collator leaves zeros.
  assert.deepEqual(labelsOf(mapping([0, 1, -1, -1]), [50, 60, -100, -100]), [50, 60, -100, -100]);
  const wrong: readonly (readonly [number[][], readonly number[], RegExp])[] = [
    [mapping([3, 1]), [30], /"labels".*2 ids/],
    [[[0, 1, 0]], [10], /target_mapping.*4 numbers/],
    [[[0, 1, 1, 0]], [10], /target 0 at 2 places/],
    [[[0, 0.5, 0, 0]], [10], /target_mapping/],
    [mapping([-1]), [10], /target 0 nowhere/],
    [mapping([1, 1]), [10, 11], /two targets at place 1/],
  ];
  for (const [targets, labels, message] of wrong) assert.throws(() => labelsOf(targets, labels), message);
});

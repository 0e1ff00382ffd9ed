/** Slices of rows whose scores are sums over as many tokens as each has: the figures of Cochran's ratio estimator. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { collectRowScores, scoresFor } from "../../../core/evaluation/row_scores.ts";
import { createRowTable } from "../../../core/evaluation/row_table.ts";
import { worstSlices } from "../../../core/evaluation/slices.ts";
import { normalShare } from "../../../core/statistics/normal.ts";
import { createRandom } from "../../../core/math/random.ts";

const random = createRandom(7);
const rows = Array.from({ length: 60 }, (_, row) => {
  const count = 1 + Math.floor(9 * random.uniform(2 * row));
  const domain = row % 3 === 0 ? "code" : "chat";
  return { row, count, domain, sum: count * (domain === "code" ? 3 : 2) + random.uniform(2 * row + 1) };
});

/** The ratio of some rows, and its variance, by what remains of each row. */
function ratioOf(some: typeof rows): Readonly<{ mean: number; variance: number }> {
  const total = (of: (row: typeof rows[number]) => number): number => some.reduce((sum, row) => sum + of(row), 0);
  const mean = total(({ sum }) => sum) / total(({ count }) => count);
  const residuals = total(({ sum, count }) => (sum - mean * count) ** 2);
  return { mean, variance: some.length * residuals / (some.length - 1) / total(({ count }) => count) ** 2 };
}

it("the loss per token of slices, how likely its gap is chance, and lengths of questions and answers", () => {
  const scores = collectRowScores();
  const table = createRowTable();
  for (const { row, sum, count, domain } of rows) {
    scores.add({ rows: [row], readings: { loss: [{ sum, count }] } });
    table.add(row, { domain, text: `row ${row}` }, { length: row, answer: 10 * count });
  }
  // A row whose loss is no number is in no slice; one without tokens neither.
  for (const [row, sum, count] of [[60, NaN, 2], [61, 0, 0]] as const) {
    scores.add({ rows: [row], readings: { loss: [{ sum, count }] } });
    table.add(row, { domain: "code" }, {});
  }
  const found = worstSlices(scoresFor([], scores), table);
  assert.equal(found?.metric, "loss per token");
  assert.deepEqual([...new Set(found.slices.map(({ column }) => column))].sort(), [
    "domain",
    "length (characters)",
    "length of the answer (characters)",
  ]);
  const [worst] = found.slices;
  assert.deepEqual([worst?.column, worst?.value, worst?.count], ["domain", "code", 20]);
  const [inside, outside] = [true, false].map((is) => ratioOf(rows.filter(({ domain }) => (domain === "code") === is)));
  assert.ok(inside && outside && worst);
  assert.ok(Math.abs(worst.score - inside.mean) < 1e-9 && Math.abs(worst.others - outside.mean) < 1e-9);
  const z = (inside.mean - outside.mean) / Math.sqrt(inside.variance + outside.variance);
  const p = 2 * normalShare(-Math.abs(z));
  assert.ok(Math.abs(worst.p - p) <= 1e-6 * p, `${worst.p} ${p}`);
  assert.ok(worst.holm >= worst.p && worst.heldOut);
});

it("tags and sets of labels have scores where no metric is a mean over rows", () => {
  const tags = collectRowScores();
  tags.add({
    rows: [0, 1],
    readings: { tags: [["A", "O"], ["O"]].map((reference) => ({ reference, prediction: ["O", "O"] })) },
  });
  const { key, sums, counts } = tags.end() ?? { key: "", sums: [], counts: [] };
  assert.deepEqual([key, Array.from(sums), Array.from(counts)], ["share of right tags", [1, 1], [2, 1]]);
  const sets = collectRowScores();
  const labels = [{ reference: [1, 0], prediction: [0, 1] }, { reference: [1], prediction: [] }];
  sets.add({ rows: [0, 1], readings: { labels } });
  assert.deepEqual(Array.from(sets.end()?.sums ?? []), [1, 0]);
  assert.equal(collectRowScores().end(), undefined);
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Json, Named, Row } from "../../../core/types.ts";
import { tinyRows } from "../../tiny.ts";
import { specOf, trained } from "../../plugins/tasks/helpers.ts";

const memory = (rows: readonly Row[]): Json => ({ use: "memory", with: { rows: rows as unknown as Json } });
const reviews = { use: "sequence-classification", with: { labels: ["bad", "good"] } };
const rows: readonly Row[] = tinyRows.map((row, i) => ({
  ...row,
  region: i % 3 === 0 ? "north" : "south",
  sex: i % 2,
}));
const metrics: Json = [
  "accuracy",
  { use: "by-group", with: { metric: "accuracy", column: "region" } },
  { use: "demographic-parity", with: { columns: ["region", "sex"], positive: "good" } },
];

describe("metrics by group in a run", () => {
  it("read columns of evaluated rows: figures in metrics.json, one number each in events", async () => {
    const data = { train: memory(rows), eval: memory(rows), test: memory(rows.slice(0, 5)) };
    const training = { metricForBestModel: "accuracy_by_region", evalStrategy: "epoch", loadBestModelAtEnd: true };
    const run = await trained(specOf(reviews, [], { data, metrics, training, loggers: ["report"] }));
    const file = await run.file("metrics.json") as Named<Json> & { eval: Named<Json> };
    assert.deepEqual(Object.keys(file.accuracy_by_region as object), ["north", "south"]);
    const counts = (figures: Json | undefined): Json[] =>
      Object.values(figures as Named<Named<Json>>).map((group) => group.count ?? null);
    assert.deepEqual(counts(file.accuracy_by_region), [2, 3]);
    const north = rows.filter(({ region }) => region === "north").length;
    assert.deepEqual(counts(file.eval.accuracy_by_region), [north, rows.length - north]);
    const parity = file["demographic-parity"] as {
      difference: number;
      difference_by_chance: number;
      groups: Named<Json>;
    };
    // Five rows in four groups: chance alone gives a gap, and a large one where not all are selected alike.
    assert.ok(parity.difference_by_chance >= 0 && (parity.difference > 0) === (parity.difference_by_chance > 0));
    assert.ok(parity.difference >= 0 && "north & 0" in parity.groups);
    assert.equal(run.metrics["demographic-parity"], parity.difference);
    assert.equal(typeof run.metrics.accuracy_by_region, "number");
  });

  it("name a column that rows lack", async () => {
    const by = (column: string): Json => [{ use: "by-group", with: { metric: "accuracy", column } }] as Json;
    await assert.rejects(trained(specOf(reviews, rows, { metrics: by("age") })), /unknown column "age"/);
  });

  it("read columns of generated answers, and of rows that are several windows", async () => {
    const squad: readonly Row[] = ["film", "food", "phone"].map((thing, i) => ({
      question: `the ${thing}`,
      context: `the ${thing} was very good and the food was not fun but nice . a ${thing} is great !`,
      answers: { text: ["very good"], answer_start: [9 + thing.length] },
      region: i === 0 ? "north" : "south",
    }));
    const run = await trained(specOf(
      { use: "question-answering", with: { docStride: 2 } },
      squad,
      {
        metrics: [{ use: "by-group", with: { metric: "squad", column: "region" } }],
        training: { maxLength: 16, maxSteps: 1 },
      },
    ));
    const file = await run.file("metrics.json") as Named<Named<Named<Json>>>;
    const keys = Object.keys(file).filter((key) => key.endsWith("_by_region"));
    assert.ok(keys.length > 0);
    for (const key of keys) assert.deepEqual(Object.values(file[key] ?? {}).map(({ count }) => count), [1, 2]);
  });
});

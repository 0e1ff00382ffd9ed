import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Row } from "../../../core/types.ts";
import { predicted, specOf, trained } from "./helpers.ts";

const task = { use: "token-classification", with: { labels: ["O", "B-THING", "I-THING"] } };
const rows: readonly Row[] = Array.from({ length: 12 }, (_, i) => ({
  tokens: [["the", "nice", "film"], ["a", "phones"], ["the", "very", "good", "food"]][i % 3]?.concat("was", "dull"),
  tags: [["O", "B-THING", "I-THING"], ["O", 1], ["O", "O", "B-THING", "I-THING"]][i % 3]?.concat("O", "O"),
}));

describe("token-classification", () => {
  it("learns entities, and writes what it is", async () => {
    const { losses, metrics, file } = await trained(specOf(task, rows, { training: { numTrainEpochs: 12 } }));
    assert.ok((losses.at(-1) ?? NaN) < 0.1, `${losses}`);
    assert.equal(metrics.seqeval_f1_micro, 1);
    assert.equal(metrics.seqeval_accuracy, 1);
    const config = await file("model/config.json") as Record<string, unknown>;
    assert.deepEqual(config.architectures, ["BertForTokenClassification"]);
    assert.deepEqual(config.label2id, { O: 0, "B-THING": 1, "I-THING": 2 });
    const probe = await file("probe.json") as Record<string, unknown[]>;
    // [CLS] a phone ##s was dull [SEP]: the first token of a word has its tag.
    assert.deepEqual(probe.tokenizationLabels?.[1], [-100, 0, 1, -100, 0, 0, -100]);
  });

  it("gives each word a tag, and none to words without tokens or behind maxLength", async () => {
    const asked = [{ tokens: ["the", "\u200b", "films", "was"] }, { tokens: ["good"] }];
    const [first, second] = await predicted(specOf(task, rows), asked);
    assert.deepEqual((first?.tags as (string | null)[]).map((tag) => tag === null), [false, true, false, false]);
    assert.equal((second?.tags as unknown[]).length, 1);
    const [cut] = await predicted(specOf(task, rows, { training: { maxLength: 5 } }), asked);
    assert.deepEqual((cut?.tags as (string | null)[]).map((tag) => tag === null), [false, true, false, true]);
    // Who shares a row with whom does not matter.
    const padded = await predicted(specOf(task, rows, { training: { rowSharing: false } }), asked);
    assert.deepEqual(padded[1]?.tags, second?.tags);
  });

  it("gives the same losses in shared rows as in padded ones, and takes ready-made rows", async () => {
    const run = async (rowSharing: boolean) =>
      (await trained(specOf(task, rows, { training: { rowSharing, maxSteps: 3 } }))).losses;
    const [shared, padded] = [await run(true), await run(false)];
    shared.forEach((loss, i) => assert.ok(Math.abs(loss - (padded[i] ?? NaN)) < 2e-6, `${i}`));
    const made = [{ input_ids: [2, 5, 7, 3], labels: [-100, 0, 1, -100] }];
    const { metrics } = await trained(specOf(task, made, { training: { numTrainEpochs: 1 } }));
    assert.ok(metrics.seqeval_accuracy !== undefined);
  });

  it("passes rows without words over where it is told to, and counts them", async () => {
    const empty = { tokens: [], tags: [] };
    const full = { tokens: ["a", "film"], tags: ["O", "B-THING"] };
    await assert.rejects(
      trained(specOf(task, [full, empty])),
      /row 1, column "tokens": expected at least one word .*emptySentences/,
    );
    const skipping = { ...task, with: { ...task.with, emptySentences: "skip" } };
    const { events, losses } = await trained(specOf(skipping, [full, empty]));
    assert.deepEqual(losses, (await trained(specOf(task, [full]))).losses);
    const told = events.flatMap((e) => (e.type === "warning" && e.code === "ROWS" ? [e.message] : []));
    assert.equal(told[0], "data.train: 1 of 2 rows have no words and were skipped");
    assert.deepEqual(
      (await predicted(specOf(task, [full]), [empty, full])).map(({ tags }) => (tags as string[]).length),
      [0, 2],
    );
  });

  it("names what is wrong with a row", async () => {
    const wrong: readonly (readonly [Row, RegExp])[] = [
      [
        { tokens: ["a", "b"], tags: ["O"] },
        /row 0, column "tags": expected 2 tags, one for each word but found "1 tags"/,
      ],
      [{ tokens: ["a"], tags: ["B-THIN"] }, /tag 0: unknown label "B-THIN", did you mean "B-THING"/],
      [{ tokens: "a", tags: ["O"] }, /column "tokens"/],
      [{ tokens: ["a"] }, /has no column "tags"/],
    ];
    for (const [row, message] of wrong) await assert.rejects(trained(specOf(task, [row])), message);
  });
});

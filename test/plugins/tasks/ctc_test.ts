import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Batch, Row, Tensor } from "../../../core/types.ts";
import { ctc } from "../../../plugins/tasks/ctc.ts";
import { predicted, specOf, trained } from "./helpers.ts";

const task = { use: "ctc", with: { labels: ["G", "B", "N"], maxTargetLength: 4 } };
const said: Readonly<Record<string, string>> = { good: "G", bad: "B", nice: "N", dull: "B" };
const rows: readonly Row[] = Array.from({ length: 12 }, (_, i) => {
  const words =
    [["the", "good", "film"], ["a", "bad", "nice", "phone"], ["nice", "and", "dull", "and", "good"]][i % 3] ?? [];
  return { text: words.join(" "), target: words.map((word) => said[word] ?? "").join("") };
});

describe("ctc", () => {
  it("learns what is to be read off a text, wherever it stands", async () => {
    const { losses, metrics } = await trained(
      specOf(task, rows, { training: { numTrainEpochs: 14, learningRate: 0.02 } }),
    );
    assert.ok((losses.at(-1) ?? NaN) < 0.1, `${losses}`);
    assert.equal(metrics.cer, 0);
  });

  it("gives the same in shared rows as in padded ones", async () => {
    const run = async (rowSharing: boolean) =>
      (await trained(specOf(task, rows, { training: { rowSharing, maxSteps: 3 } }))).losses;
    const [shared, padded] = [await run(true), await run(false)];
    shared.forEach((loss, i) => assert.ok(Math.abs(loss - (padded[i] ?? NaN)) < 5e-6, `${i}: ${loss} ${padded[i]}`));
  });

  it("reads the likeliest classes without blanks and repetitions", async () => {
    const logits: Tensor = { dtype: "float32", dims: [7, 4], data: new Float32Array(28) };
    [1, 1, 0, 1, 2, 2, 3].forEach((c, place) => (logits.data[4 * place + c] = 1));
    const places = Int32Array.of(0, 0, 0, 1, 0, 2, 0, 3, 0, 4, 1, 0, 1, 1);
    const batch = {
      inputs: {},
      tokenOrigins: places,
      samples: 2,
      sequences: 2,
      batch: 1,
      seq: 7,
      tokens: 7,
      rows: Int32Array.of(0, 1),
    };
    const [objective] = ctc({ labels: ["G", "B", "N"], separator: " " }).subtasks;
    const found = objective?.predict({ logits }, batch as unknown as Batch, {} as never);
    assert.deepEqual(found, [{ text: "G G B", symbols: ["G", "G", "B"] }, { text: "B N", symbols: ["B", "N"] }]);
    const [first] = await predicted(specOf(task, rows), [{ text: "the good film" }]);
    assert.equal(typeof first?.text, "string");
  });

  it("names what is wrong with a row", async () => {
    const wrong: readonly (readonly [Row, RegExp])[] = [
      [{ text: "a", target: "GBNGB" }, /at most 4 \(task.with.maxTargetLength\)/],
      [{ text: "a", target: ["G", "X"] }, /symbol 1: unknown label "X"/],
      [{ text: "a", target: "GGGG" }, /at least 7 tokens, or task.with.zeroInfinity/],
      [{ text: "a" }, /no column "target"/],
    ];
    for (const [row, message] of wrong) await assert.rejects(trained(specOf(task, [row])), message);
    const lenient = { use: "ctc", with: { ...task.with, zeroInfinity: true } };
    const { losses } = await trained(specOf(lenient, [{ text: "a", target: "GGGG" }], { training: { maxSteps: 1 } }));
    assert.deepEqual(losses, [0]);
  });
});

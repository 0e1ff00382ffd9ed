import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Row } from "../../../core/types.ts";
import { predicted, specOf, trained } from "./helpers.ts";

const rows: readonly Row[] = Array.from({ length: 12 }, (_, i) => {
  const choices = [["a dull film", "the food was bad"], ["not fun", "awful"]][i % 2] ?? [];
  const label = i % 3;
  return { context: "the phone was", choices: choices.toSpliced(label, 0, "very good"), label };
});

describe("multiple-choice", () => {
  it("learns which choice is right, and writes what it is", async () => {
    const { losses, metrics, file } = await trained(
      specOf("multiple-choice", rows, { training: { numTrainEpochs: 10 } }),
    );
    assert.ok((losses.at(-1) ?? NaN) < 0.1, `${losses}`);
    assert.equal(metrics.accuracy, 1);
    const config = await file("model/config.json") as Record<string, unknown>;
    assert.deepEqual(config.architectures, ["BertForMultipleChoice"]);
    const probe = await file("probe.json") as Record<string, number[][][]>;
    assert.equal(probe.tokenization?.[0]?.length, 3);
  });

  it("gives the same in shared rows and padded ones, and rows as many scores as choices", async () => {
    const asked: Row[] = [
      { context: "the food was", choices: ["good", "bad", "very very dull", "fun"] },
      { context: "a film", choices: ["nice"] },
    ];
    const scores = async (rowSharing: boolean) =>
      (await predicted(specOf("multiple-choice", rows, { training: { rowSharing } }), asked))
        .map((p) => p.scores as number[]);
    const [shared, padded] = [await scores(true), await scores(false)];
    assert.deepEqual(shared.map((s) => s.length), [4, 1]);
    assert.deepEqual(shared[1], [1]);
    shared.flat().forEach((score, i) => assert.ok(Math.abs(score - (padded.flat()[i] ?? NaN)) < 1e-6));
    const mixed = [{ context: "a", choices: ["good", "bad"], label: 1 }, ...rows];
    const { losses } = await trained(specOf("multiple-choice", mixed, { training: { maxSteps: 3 } }));
    assert.ok(losses.every((loss) => loss > 0 && loss < 5), `${losses}`);
  });

  it("names what is wrong with a row", async () => {
    const wrong: readonly (readonly [Row, RegExp])[] = [
      [{ context: "a", choices: ["b"], label: 1 }, /the number of a choice, 0 to 0/],
      [{ context: "a", choices: "b", label: 0 }, /column "choices".*a list of texts/],
      [{ context: "a", choices: ["b"] }, /no column "label"/],
    ];
    for (const [row, message] of wrong) await assert.rejects(trained(specOf("multiple-choice", [row])), message);
  });
});

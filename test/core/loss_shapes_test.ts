import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { compose } from "../../core/spec/compose.ts";
import { evaluateRun } from "../../core/run/evaluate/evaluate.ts";
import { openRun } from "../../core/run/open/open.ts";
import { writeSafetensors } from "../../core/files/safetensors.ts";
import type { Row, RunSpec } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { tinyHost, tinySpec, tinyWeights } from "../tiny.ts";

// The tiny model without its classifier of two classes.
const backbone = Object.entries(tinyWeights()).filter(([name]) => !name.startsWith("classifier."));
const headless = { "model.safetensors": writeSafetensors(Object.fromEntries(backbone)) };
const texts = ["a good film", "the food was awful", "a very nice phone !", "dull"];

/** The mean loss of a spec over rows, in batches of a size. */
async function lossOf(spec: Partial<RunSpec>, rows: readonly Row[], size = 4): Promise<number | undefined> {
  const given = { ...tinySpec(), data: { eval: { use: "memory", with: { rows } } }, ...spec } as RunSpec;
  const run = compose({ ...given, training: { perDeviceEvalBatchSize: size } }, catalog);
  const open = await openRun(run, tinyHost(await hostHere(), headless));
  if (!run.data.eval) throw new Error("no rows");
  return (await evaluateRun(open, run.data.eval, { untrained: true })).loss;
}

const task = (options: object): RunSpec["task"] => ({ use: "sequence-classification", with: options });
const head = (numLabels: number): RunSpec["head"] => ({ use: "sequence", with: { numLabels } });

describe("shapes of outputs and targets", () => {
  const one = task({ labels: ["toxic"], problemType: "multi-label" });
  const listed = texts.map((text, i) => ({ text, labels: i % 2 === 0 ? ["toxic"] : [] }));
  const scored = texts.map((text, i) => ({ text, label: i / 4 }));

  for (const loss of ["bce-with-logits", "focal-binary", "mse", "mae", "huber", "smooth-l1"]) {
    it(`${loss} of one label or value is the mean of its rows, whatever the batch`, async () => {
      for (const [spec, rows] of [[one, listed], [task({ problemType: "regression" }), scored]] as const) {
        const alone = await lossOf({ task: spec, loss }, rows, 1);
        for (const size of [2, 4]) {
          const together = await lossOf({ task: spec, loss }, rows, size);
          assert.ok(Math.abs((alone ?? NaN) - (together ?? NaN)) < 1e-6, `${alone} and ${together}`);
        }
      }
    });
  }

  it("refuses losses, heads and tasks that do not fit together", async () => {
    const rows = texts.map((text, i) => ({ text, label: i % 2 }));
    const two = task({ numLabels: 2 });
    await assert.rejects(
      lossOf({ task: two, loss: "mse" }, rows),
      /"mse" compares an output \[sequences, 2\] with a target of int32/,
    );
    await assert.rejects(lossOf({ task: two, loss: "bce-with-logits" }, rows), /bce-with-logits/);
    await assert.rejects(
      lossOf({ task: one, loss: "cross-entropy" }, listed),
      /"cross-entropy" compares .* where numbers of classes/,
    );
    await assert.rejects(
      lossOf({ task: two, head: head(3) }, rows),
      /head: expected 2 \(one for each of the task's classes\)/,
    );
    await assert.rejects(lossOf({ task: one, head: head(3) }, listed), /expected 1|\[sequences, 3\]/);
    const values = task({ problemType: "regression", numLabels: 2 });
    const pairs = texts.map((text, i) => ({ text, label: [i, 1] }));
    await assert.rejects(lossOf({ task: values, head: head(3) }, pairs), /expected 2/);
  });

  it("refuses options for each class of another number of classes", async () => {
    const rows = texts.map((text, i) => ({ text, label: i % 3 }));
    for (const size of [2, 4]) {
      const weights = Array.from({ length: size }, () => 1);
      for (const [use, option] of [["cross-entropy", "weight"], ["focal", "alpha"]] as const) {
        const loss = { use, with: { [option]: weights } };
        const wanted = new RegExp(`loss.with.${option}: expected 3 numbers, one for each class but found "${size}`);
        await assert.rejects(lossOf({ task: task({ numLabels: 3 }), loss } as Partial<RunSpec>, rows), wanted);
      }
      const loss = { use: "bce-with-logits", with: { posWeight: weights } };
      const labels = task({ labels: ["a", "b", "c"], problemType: "multi-label" });
      await assert.rejects(lossOf({ task: labels, loss }, texts.map((text) => ({ text, labels: ["a"] }))), /posWeight/);
    }
  });
});

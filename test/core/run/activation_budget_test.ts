/** What a step may keep, and which products it computes again for it. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { activationBudget } from "../../../core/run/open/memory.ts";
import { readTrainingArguments } from "../../../core/spec/training_arguments.ts";
import { outputInt8, trainedInt8 } from "../../../formats/quantization/output_int8.ts";
import { hostHere } from "../../../runtimes/host/train.ts";

const host = { ...await hostHere(1), memoryBytes: 2 ** 34 };
const free = readTrainingArguments({}).training;

it("products that save time are computed once, where there is room", () => {
  const [usual, saving] = [false, true].map((savesTime) => activationBudget(free, host, 2 ** 20, savesTime));
  assert.ok(usual && usual.moreWork > 0 && usual.moreWork < 1);
  assert.deepEqual(saving, { ...usual, moreWork: 0 });
  for (const savesTime of [false, true]) {
    const scarce = activationBudget({ ...free, memory: "64MiB" }, host, 2 ** 25, savesTime);
    assert.deepEqual(scarce, { bytes: 2 ** 25, moreWork: 1 });
  }
});

it("int8 saves time where it multiplies in int8", () => {
  const row = { activationScale: "row" } as const;
  for (const [forward, backward] of [["int8", "float32"], ["float32", "int8"], ["int8", "int8"]] as const) {
    assert.equal(outputInt8({ ...row, forward, backward }).savesTime, true);
    assert.equal(trainedInt8({ ...row, forward, backward })?.savesTime, true);
  }
  assert.equal(outputInt8({ ...row, forward: "float32", backward: "float32" }).savesTime, undefined);
});

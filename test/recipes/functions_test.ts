/** Recipes called as functions, by a program that brings a workbench: here a host without files, and rows in memory. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Host, Json, Named } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { classification } from "../../recipes/classification.ts";
import type { Data } from "../../recipes/options.ts";
import { sentiment } from "../../recipes/sentiment.ts";
import { readRows } from "../../recipes/shared.ts";
import { createWorkbench, folderOf } from "../../recipes/workbench.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { tinyRows } from "../tiny.ts";
import { readJson } from "../../core/files/json_files.ts";

const { directory: _, resolve: __, names: ___, ...withoutFiles } = await hostHere(1);
const host: Host = withoutFiles;
const rows = tinyRows.map(({ text, label }) => ({ text, label: label === "good" ? "positive" : "negative" }));
const given = (from: number, to: number): Named<Json> => ({
  use: "memory",
  with: { rows: rows.slice(from, to) as unknown as Json },
});
const data: Data = { train: given(0, 16), eval: given(16, 24) };

describe("recipes as functions", () => {
  it("sentiment trains where it is called, gives its accuracy, and leaves a run in the host's folders", async () => {
    const bench = await createWorkbench(host, catalog);
    const output = "made/sentiment";
    const { accuracy } = await sentiment({ data, output, steps: 4, maxLength: 16, adapter: "lora" }, bench);
    const files = folderOf(await bench.host(), output);
    const metrics = await readJson(files, "metrics.json") as Named<number>;
    assert.deepEqual(accuracy, { "this model": metrics.accuracy });
    assert.ok(await files.get("adapter/adapter_model.safetensors"));
    const { training } = await readJson(files, "spec.json") as { training: Named<Json> };
    assert.equal(training.maxSteps, 4);
    assert.equal(training.maxLength, 16);
    // Nothing is written over.
    await assert.rejects(sentiment({ data, output, steps: 4 }, bench), /made\/sentiment is not empty/);
  });

  it("classification says what it compares with, and does not do again what is done", async () => {
    const said: string[] = [];
    const bench = await createWorkbench(host, catalog, (text) => said.push(text));
    const options = { data, output: "made/classes", steps: 2, maxLength: 16 };
    const scores = await classification(options, bench);
    const { "this model": accuracy = NaN, ...others } = scores.accuracy ?? {};
    assert.ok(accuracy >= 0 && accuracy <= 1);
    // Of the last eight rows four are positive.
    assert.deepEqual(Object.values(others), [0.5]);
    assert.match(said.join("\n"), /accuracy +score\nthis model +[01]\.\d{4}\nalways "(positive|negative)" +0\.5000/);
    const log = async () => (await folderOf(await bench.host(), "made/classes/run").get("log.jsonl"))?.size;
    const before = await log();
    assert.deepEqual(await classification({ ...options, resume: true }, bench), scores);
    assert.equal(await log(), before);
  });

  it("an option that is none, or of another kind, is named", async () => {
    const bench = await createWorkbench(host, catalog);
    const run = (options: object) => sentiment(options as Parameters<typeof sentiment>[0], bench);
    await assert.rejects(run({ modle: "x" }), /modle: unknown option "modle", did you mean "model"\?/);
    await assert.rejects(run({ maxLength: "16" }), /--max-length: expected a number but found "16"/);
    await assert.rejects(run({ resume: "yes" }), /--resume: expected true or false but found "yes"/);
    await assert.rejects(run({ data: { train: given(0, 8) } }), /--data: expected \{ train, eval \}/);
    await assert.rejects(run({ resume: true }), /--resume: name the folder/);
    await assert.rejects(run({ columns: "text=a" }), /--columns: renames columns of --data/);
    await assert.rejects(run({ data: "revews" }), /did you mean "reviews"/);
  });

  it("rows are read by the data plugin alone; one that is none is named", async () => {
    const bench = await createWorkbench(host, catalog);
    const few = { use: "take", with: { limit: 3, source: { use: "shuffle", with: { source: given(0, 8), seed: 7 } } } };
    const read = await readRows(bench, few);
    assert.equal(read.length, 3);
    assert.ok(read.every(({ text }) => rows.slice(0, 8).some((row) => row.text === text)));
    await assert.rejects(
      readRows(bench, { use: "memry", with: {} }),
      /data: unknown data "memry", did you mean "memory"/,
    );
  });
});

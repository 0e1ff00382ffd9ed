import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, describe, it } from "node:test";
import type { Json, Named } from "../../core/types.ts";
import { jobRig } from "../faults/job_rig.ts";
import { commands, here, started } from "../faults/killed_runs.ts";
import { tinySpec } from "../tiny.ts";

describe("with --server", () => {
  it("trials and folds are jobs that runners train, pruned ones are cancelled, and what is left is fetched", async () => {
    const rig = await jobRig();
    after(() => rig.close());
    rig.runner("a");
    const folder = mkdtempSync(join(tmpdir(), "attune-search-server-"));
    const spec = join(folder, "spec.json");
    const space = { "training.learningRate": { type: "categorical", choices: [0.05, 0.03, 1e-7] } };
    const pruner = { use: "median", with: { startupTrials: 2 } };
    writeFileSync(
      spec,
      JSON.stringify({
        ...tinySpec({ adapter: [{ use: "lora", with: { r: 2 } }] }),
        model: { use: "pretrained", with: { path: "tiny" } },
        training: { maxSteps: 30, evalStrategy: "steps", evalSteps: 5, perDeviceTrainBatchSize: 4, learningRate: 0.02 },
        metrics: ["accuracy"],
        search: { use: "grid", with: { metric: "loss", pruner, space } },
      }),
    );
    // Rows that no trial sees.
    const given = JSON.parse(readFileSync(spec, "utf8"));
    const { rows: seen } = given.data.train.with as { rows: readonly Named<Json>[] };
    given.data.test = { use: "memory", with: { rows: seen.map((row) => ({ ...row, text: `${row.text} again` })) } };
    writeFileSync(spec, JSON.stringify(given));
    const linesOf = (name: string): Named<Json>[] =>
      readFileSync(join(folder, name), "utf8").trimEnd().split("\n").map((line) => JSON.parse(line));
    const env = { ...process.env, ATTUNE_API_KEY: "key" };
    const run = async (command: string, ...args: string[]): Promise<void> => {
      const all = [
        ...commands[here] ?? [],
        command,
        spec,
        "--output",
        join(folder, command),
        ...args,
        "--server",
        rig.url,
      ];
      const { code, output } = await started(all, () => {}, env);
      assert.equal(code, 0, output);
    };
    await run("search");
    const trials = readFileSync(join(folder, "search/search/trials.jsonl"), "utf8").trimEnd().split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(trials.map(({ state }) => state), ["complete", "complete", "pruned"]);
    assert.equal(trials[0].values.length, 6);
    assert.ok(existsSync(join(folder, "search/search/best/adapter/adapter_model.safetensors")));
    assert.ok(existsSync(join(folder, "search/search/report.html")));
    // The winner and the spec as it was on the test rows, as a search here compares them.
    const compared = JSON.parse(readFileSync(join(folder, "search/search/comparison.json"), "utf8"));
    assert.equal(compared.rows, seen.length);
    for (const [own, name] of [["best", "best"], ["default", "default"]] as const) {
      const metrics = JSON.parse(readFileSync(join(folder, `search/search/${name}/metrics.json`), "utf8"));
      for (const key of ["loss", "accuracy"]) {
        const [low, high] = compared[own][`${key}_interval`];
        assert.equal(compared[own][key], metrics[key]);
        assert.ok(low <= metrics[key] && metrics[key] <= high, `${name} ${key}`);
      }
    }
    const { difference, difference_interval: [low, high], p } = compared.difference.accuracy;
    assert.ok(Math.abs(difference - (compared.best.accuracy - compared.default.accuracy)) < 1e-7);
    assert.ok(low <= difference && difference <= high && p >= 0 && p <= 1);
    const plain = JSON.parse(readFileSync(spec, "utf8"));
    delete plain.data.test;
    delete plain.metrics;
    delete plain.search;
    writeFileSync(spec, JSON.stringify(plain));
    await run("crossvalidate", "--folds", "2");
    const { loss } = JSON.parse(readFileSync(join(folder, "crossvalidate/folds/metrics.json"), "utf8"));
    assert.equal(loss.folds.length, 2);
    const rows = plain.data.train.with.rows as readonly Named<Json>[];
    const answered = linesOf("crossvalidate/folds/predictions.jsonl");
    assert.deepEqual(answered.map(({ row }) => row), rows.map((_, i) => i));
    answered.forEach(({ row, label }) => assert.equal(label, rows[Number(row)]?.label));
    // Several tasks: each one's rows are at the server, too.
    const { data, task, ...rest } = plain;
    const tasks = { films: { task, data }, again: { task, data } };
    writeFileSync(spec, JSON.stringify({ ...rest, task: { use: "multi-task", with: { tasks } } }));
    await run("crossvalidate", "--folds", "2", "--output", join(folder, "several"));
    const several = JSON.parse(readFileSync(join(folder, "several/folds/metrics.json"), "utf8"));
    assert.deepEqual(Object.keys(several.tasks), ["films", "again"]);
    assert.deepEqual(linesOf("several/folds/again-predictions.jsonl").map(({ row }) => row), rows.map((_, i) => i));
  });
});

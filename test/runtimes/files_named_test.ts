import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { describe, it } from "node:test";
import { writtenRows } from "../rows_files.ts";
import { commands, here, killableRun, started } from "../faults/killed_runs.ts";
import { tinyRows } from "../tiny.ts";

const attune = (...args: string[]) => started([...commands[here] ?? [], ...args]);

describe("what is named and not there", () => {
  const folder = mkdtempSync(join(tmpdir(), "attune-named-"));
  const spec = (change: object): string => {
    const path = join(folder, "spec.json");
    const model = { use: "pretrained", with: { path: "attune:base" } };
    const task = { use: "sequence-classification", with: { labels: ["bad", "good"] } };
    const data = { train: { use: "memory", with: { rows: tinyRows } } };
    writeFileSync(path, JSON.stringify({ version: 1, model, task, data, ...change }));
    return path;
  };
  mkdirSync(join(folder, "model"));
  mkdirSync(join(folder, "empty"));
  mkdirSync(join(folder, "adapters"));
  writeFileSync(join(folder, "file"), "");
  const at = (name: string): string => join(folder, name);
  const model = (path: string) => ({ model: { use: "pretrained", with: { path } } });
  const adapter = (from: string) => ({ adapter: { use: "lora", with: { from } } });

  it("does not exist, and the nearest name beside it is told", async () => {
    const wrong: [string[], RegExp][] = [
      [["run", spec(model("./modle")), "--output", at("out")], /modle: does not exist, did you mean "model"\?/],
      [["predict", at("no-run"), "--input", at("file")], /no-run: does not exist$/m],
      [["evaluate", at("spec.jsn")], /spec\.jsn: does not exist, did you mean "spec\.json"\?/],
      [["export", at("fil"), "--format", "hf"], /fil: does not exist, did you mean "file"\?/],
      [["export", at("file"), "--format", "hf"], /file: is not a folder/],
      [["predict", at("empty")], /empty: is not the folder of a run: spec\.json is missing/],
      [["merge", at("adapter"), "--output", at("out")], /adapter: does not exist, did you mean "adapters"\?/],
      [["merge", at("adapters"), "--output", at("out")], /adapters: adapter_config\.json is missing/],
    ];
    for (const [args, said] of wrong) {
      const ended = await attune(...args);
      assert.equal(ended.code, 2, ended.output);
      assert.match(ended.output, said);
      assert.doesNotMatch(ended.output, /^ {4}at /m);
    }
    const others: [object, RegExp][] = [
      [model("./empty"), /empty: config\.json is missing/],
      [adapter("./adaptersx"), /adaptersx: does not exist, did you mean "adapters"\?/],
      [adapter("./adapters"), /adapters: adapter_config\.json is missing/],
      [{ adapter: { use: "pfeiffer", with: { from: "./nothing" } } }, /nothing: does not exist$/m],
    ];
    for (const [change, said] of others) {
      const ended = await attune("run", spec(change), "--output", at("out"));
      assert.equal(ended.code, 2, ended.output);
      assert.match(ended.output, said);
    }
  });
});

it("predict and evaluate read rows as their file's name ends", async () => {
  const { folder, spec } = killableRun({ loggers: [], training: { maxSteps: 2 } });
  const out = join(folder, "out");
  const trained = await attune("run", spec, "--output", out);
  assert.equal(trained.code, 0, trained.output);
  const rows = tinyRows.slice(0, 6).map((row, i) => ({
    ...row,
    text: i === 2 ? `${row.text} and "good", very` : row.text,
  }));
  const files = writtenRows(folder, rows as { text: string; label: string }[]);
  const answers: Record<string, string> = {};
  for (const [name, path] of Object.entries(files)) {
    const predicted = await attune("predict", out, "--input", path);
    const evaluated = await attune("evaluate", out, "--data", path);
    assert.deepEqual([predicted.code, evaluated.code], [0, 0], predicted.output + evaluated.output);
    assert.equal(predicted.output.trim().split("\n").length, rows.length);
    answers[name] = predicted.output + evaluated.output.replaceAll(basename(path), "rows");
  }
  for (const [name, text] of Object.entries(answers)) assert.equal(text, answers.jsonl, name);
});

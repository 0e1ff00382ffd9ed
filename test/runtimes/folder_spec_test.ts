/**
 * Folders that are named in place of a run's: each works, or one sentence says what it is and what takes it.
 */
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { readRun, specPath } from "../../runtimes/host/spec_file.ts";
import { commands, here, killableRun, started } from "../faults/killed_runs.ts";
import { tinyRows } from "../tiny.ts";

const attune = async (...args: string[]): Promise<string> => {
  const ended = await started([...commands[here] ?? [], ...args]);
  assert.equal(ended.code, 0, ended.output);
  return ended.output;
};

describe("a folder that no run has written", () => {
  const { folder, spec } = killableRun({ loggers: [], training: { maxSteps: 2, saveSteps: 1 } });
  const at = (...names: string[]): string => join(folder, ...names);
  const run = at("run");
  before(async () => {
    await attune("run", spec, "--output", run);
    await attune("export", run, "--format", "hf", "--merge", "--output", at("merged"));
    cpSync(join(run, "adapter"), at("peft"), { recursive: true });
    mkdirSync(at("empty"));
    writeFileSync(at("rows.jsonl"), tinyRows.slice(0, 6).map((row) => `${JSON.stringify(row)}\n`).join(""));
    cpSync(run, at("unfinished"), { recursive: true });
    rmSync(at("unfinished", "adapter"), { recursive: true });
  });

  it("predicts and is evaluated as the run, if it is an adapter's or a model's", async () => {
    const rows = at("rows.jsonl");
    const figures = async (dir: string): Promise<number[]> => {
      const { loss, accuracy } = JSON.parse(
        (await attune("evaluate", dir, "--data", rows, "--json")).split("\n").find((line) => line.startsWith("{")) ??
          "",
      );
      return [loss, accuracy];
    };
    const [loss = NaN, accuracy] = await figures(run);
    assert.deepEqual(await figures(at("peft")), [loss, accuracy]);
    const [merged = NaN, same] = await figures(at("merged"));
    assert.equal(same, accuracy);
    assert.ok(Math.abs(merged - loss) < 1e-5, `${merged} is not ${loss}`);
    assert.equal(await attune("predict", at("peft"), "--input", rows), await attune("predict", run, "--input", rows));
  });

  it("gives a merged adapter, if it is a run's", async () => {
    await attune("merge", run, at("peft"), "--modules-from", "0", "--output", at("both"));
    assert.ok(readdirSync(at("both")).includes("adapter_model.safetensors"));
  });

  it("says otherwise what it holds, and what to do", async () => {
    const resumes = /holds checkpoints, and no finished run: "attune run \S+run --resume" continues/;
    const said: [string, RegExp, RegExp][] = [
      [
        "merged",
        /^$/,
        /holds a model, and no run: this command takes a spec.*"model": "\S+merged".*attune evaluate \S+merged/,
      ],
      [
        "peft",
        /^$/,
        /holds an adapter, and no run: this command takes a spec.*"from": "\S+peft".*attune predict \S+peft/,
      ],
      ["run/checkpoints/step-00000002", resumes, resumes],
      ["run/checkpoints", resumes, resumes],
      ["run/adapter", /is a part of a run: name the run's folder, \S+run$/, /is a part of a run/],
      ["empty", /spec\.json is missing \(the folder is empty\)$/, /the folder is empty/],
      ["unfinished", /has no finished run.*: "attune run \S+unfinished --resume" continues it$/, /^$/],
    ];
    const saidBy = (act: () => Promise<unknown>): Promise<string> =>
      act().then(() => "", (error: Error) => error.message);
    for (const [name, read, taken] of said) {
      assert.match(await saidBy(() => readRun(at(name))), read, name);
      assert.match(await saidBy(() => specPath(at(name))), taken, name);
    }
    writeFileSync(
      at("peft", "adapter_config.json"),
      JSON.stringify({ peft_type: "LORA", base_model_name_or_path: "x/y" }),
    );
    assert.match(
      await saidBy(() => readRun(at("peft"))),
      /adapter_config\.json: has task_type null, which is no task's/,
    );
  });
});

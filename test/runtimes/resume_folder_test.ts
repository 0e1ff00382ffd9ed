import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join, relative } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { compose } from "../../core/spec/compose.ts";
import { trainRun } from "../../core/run/train/train.ts";
import type { RunSpec } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { main } from "../../runtimes/cli/main.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { assertSameResults, commands, here, killableRun, started, uninterrupted } from "../faults/killed_runs.ts";

describe("the folder of a run that was interrupted", () => {
  const { folder, spec } = killableRun();
  const at = (name: string): string => join(folder, name);
  const interrupted = async (output: string): Promise<void> => {
    let asked = false;
    const args = ["run", spec, "--output", at(output), "--threads", "1", "--json"];
    const ended = await started([...commands[here] ?? [], ...args], (line, child) => {
      if (asked || !line.includes('"step":8,')) return;
      asked = true;
      child.kill("SIGINT");
    });
    assert.equal(ended.code, 130, ended.output);
  };

  it("is all that is needed to go on, to the same bits, by its name or by its spec's", async () => {
    await uninterrupted(spec, at("whole"));
    for (const name of ["folder", "spec"]) {
      await interrupted(name);
      const path = name === "folder" ? at(name) : join(at(name), "spec.json");
      if (name === "folder") assert.equal(await main(["run", path]), 2, "only with --resume");
      else {
        // Without --resume the spec that a run has written is one like others.
        assert.equal(await main(["run", path, "--output", at("again"), "--threads", "1"]), 0);
        assertSameResults(at("whole"), at("again"));
      }
      assert.equal(await main(["run", path, "--resume", "--threads", "1", "--json"]), 0);
      assertSameResults(at("whole"), at(name));
    }
  });

  it("is named where it holds no run", async () => {
    const empty = mkdtempSync(at("empty-"));
    assert.equal(await main(["run", empty, "--resume"]), 2);
    assert.equal(await main(["run", at("none"), "--resume"]), 2);
    assert.ok(!existsSync(at("none")));
  });
});

it("trainRun writes absolute paths, names as names", async () => {
  const folder = mkdtempSync(join(tmpdir(), "attune-paths-"));
  const rows = join(folder, "rows.jsonl");
  writeFileSync(rows, '{"text":"good","label":"a"}\n{"text":"bad","label":"b"}\n');
  const config = {
    model_type: "bert",
    vocab_size: 8192,
    hidden_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 8,
    max_position_embeddings: 32,
    type_vocab_size: 2,
  };
  const run = compose({
    version: 1,
    model: { use: "random", with: { tokenizer: "attune:base", config } },
    task: { use: "sequence-classification", with: { labels: ["a", "b"] } },
    data: { train: { use: "jsonl", with: { path: relative(process.cwd(), rows) } } },
    loggers: [{ use: "jsonl", with: { path: "steps.jsonl" } }],
    training: { maxSteps: 1 },
  } as unknown as RunSpec, catalog);
  const host = await hostHere(1);
  const output = join(folder, "out");
  for await (const _ of trainRun(run, host, { output: host.directory?.(output) })) { /* to its end */ }
  assert.ok(!isAbsolute(relative(process.cwd(), rows)));
  const written = JSON.parse(readFileSync(join(output, "spec.json"), "utf8"));
  assert.equal(written.data.train.with.path, rows);
  assert.equal(written.model.with.tokenizer, "attune:base");
  assert.equal(written.loggers[0].with.path, "steps.jsonl");
  assert.ok(existsSync(join(output, "steps.jsonl")));
});

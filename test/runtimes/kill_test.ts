import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  assertSameResults,
  commands,
  here,
  killableRun,
  killed,
  started,
  uninterrupted,
} from "../faults/killed_runs.ts";

describe("a run that is killed", () => {
  const { folder, spec } = killableRun();
  const args = (output: string): string[] => [
    ...commands[here] ?? [],
    "run",
    spec,
    "--output",
    join(folder, output),
    "--threads",
    "1",
    "--json",
  ];

  it("and resumed leaves the bytes of one that was not", async () => {
    await uninterrupted(spec, join(folder, "whole"));
    const hit = await killed(spec, join(folder, "parts"), 2, (i) => [0.8, 0.4, 0.9, 0.7][i] ?? 0);
    assert.equal(hit, 2);
    assertSameResults(join(folder, "whole"), join(folder, "parts"));
  });

  it("by SIGTERM commits a checkpoint, ends with 130, and goes on; changed data is refused with 3", async () => {
    const ended = await started(args("term"), (line, child) => {
      if (line.startsWith('{"type":"step","step":8,')) child.kill("SIGTERM");
    });
    assert.equal(ended.code, 130, ended.output);
    const events = ended.output.split("\n").filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
    assert.equal(events.at(-1).reason, "interrupted");
    assert.equal(events.at(-2).type, "checkpoint");
    const changed = join(folder, "changed.json");
    const other = JSON.parse(readFileSync(spec, "utf8"));
    other.data.train.with.rows[0].text = "another film";
    other.training.learningRate = 0.5;
    writeFileSync(changed, JSON.stringify(other));
    const refused = await started([...args("term").map((a) => (a === spec ? changed : a)), "--resume"]);
    assert.equal(refused.code, 3, refused.output);
    assert.match(refused.output, /train: its fingerprint was/);
    assert.match(refused.output, /training\.learningRate: was 0\.02, now 0\.5/);
    const resumed = await started([...args("term"), "--resume"]);
    assert.equal(resumed.code, 0, resumed.output);
    assertSameResults(join(folder, "whole"), join(folder, "term"));
  });
});

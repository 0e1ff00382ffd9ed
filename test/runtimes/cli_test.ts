import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { main } from "../../runtimes/cli/main.ts";
import { withLoggers } from "../../runtimes/cli/run.ts";
import { tinySpec } from "../tiny.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-cli-"));
const spec = join(folder, "spec.json");
writeFileSync(spec, JSON.stringify(tinySpec()));

it("what is wrong on the command line is exit code 2, and nothing is written", async () => {
  const output = join(folder, "out");
  for (
    const args of [
      ["run", spec, "--threads", "x", "--output", output],
      ["run", spec, "--threads", "0", "--output", output],
      ["run", spec, "--output", spec],
      ["run", spec, "--set", "training", "--output", output],
      ["plan", spec, "--set", "training.fp16=true"],
      ["run", spec, "--ouptut", output],
      ["serve", "--port", "65536"],
      ["merge", join(folder, "none"), "--output", output],
      ["runn"],
    ]
  ) assert.equal(await main(args), 2, args.join(" "));
  assert.deepEqual(readdirSync(folder), ["spec.json"]);
});

it("one logger may be a name, and a run of the command has log and report beside it", () => {
  for (const loggers of ["tensorboard", ["tensorboard"]]) {
    assert.deepEqual(withLoggers({ loggers }).loggers, ["tensorboard", "jsonl", "report"]);
  }
  assert.deepEqual(withLoggers({ loggers: ["console", "report"] }).loggers, ["report", "jsonl"]);
  assert.deepEqual(withLoggers({}).loggers, ["jsonl", "report"]);
});

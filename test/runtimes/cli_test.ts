import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { it } from "node:test";
import { main } from "../../runtimes/cli/main.ts";
import { withLoggers } from "../../runtimes/host/run_loggers.ts";
import { commands, here } from "../faults/killed_runs.ts";
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
      ["plan", spec, "--set", "training.tf32=true"],
      ["run", spec, "--ouptut", output],
      ["run", spec, "--device", "gpu", "--output", output],
      ["plan", spec, "--device", "cpu:1"],
      ["serve", "--port", "65536"],
      ["merge", join(folder, "none"), "--output", output],
      ["runn"],
    ]
  ) assert.equal(await main(args), 2, args.join(" "));
  assert.deepEqual(readdirSync(folder), ["spec.json"]);
});

it("a device that nothing computes on is refused by name, by every command that computes", async () => {
  const output = join(folder, "elsewhere");
  const commands: readonly (readonly string[])[] = [
    ["run", spec, "--output", output],
    ["plan", spec],
    ["evaluate", spec],
    ["predict", output],
    ["serve", "--port", "0"],
    ["runner", "--server", "http://127.0.0.1:9"],
  ];
  for (const command of commands) {
    for (const device of ["cuda", "cuda:1", "webgpu", "dml", "coreml:0"]) {
      assert.equal(await main([...command, "--device", device]), 3, `${command[0]} ${device}`);
    }
  }
  assert.ok(!existsSync(output));
  assert.equal(await main(["plan", spec, "--device", "auto"]), await main(["plan", spec]));
});

it("a run in which nothing trains is refused before its first step, and so is its plan", async () => {
  const frozen = join(folder, "frozen.json");
  const rows = [{ text: "one", textPair: "two", score: 1 }, { text: "a", textPair: "b", score: 0 }];
  const task = "sentence-similarity";
  const data = { train: { use: "memory", with: { rows } } };
  writeFileSync(frozen, JSON.stringify({ version: 1, model: "attune:base", task, data, adapter: "freeze" }));
  for (const args of [["plan", frozen], ["run", frozen, "--output", join(folder, "frozen")]]) {
    const [program = "", ...rest] = commands[here] ?? [];
    const said = await new Promise<string>((resolve) =>
      execFile(program, [...rest, ...args], (error, _, stderr) => {
        resolve(`${error?.code}: ${stderr}`);
      })
    );
    assert.match(said, /^2: [^]*Nothing would train: every parameter/, args[0]);
  }
  assert.equal(await main(["plan", frozen, "--set", 'adapter={"use":"freeze","with":{"trainLastLayers":1}}']), 0);
});

it("one logger may be a name, and a run of the command has log and report beside it", () => {
  for (const loggers of ["tensorboard", ["tensorboard"]]) {
    assert.deepEqual(withLoggers({ loggers }).loggers, ["tensorboard", "jsonl", "report"]);
  }
  assert.deepEqual(withLoggers({ loggers: ["console", "report"] }).loggers, ["report", "jsonl"]);
  assert.deepEqual(withLoggers({}).loggers, ["jsonl", "report"]);
});

it("a run's worker hears its task however long its modules take to load", async () => {
  const wrong = join(folder, "wrong.json");
  writeFileSync(wrong, JSON.stringify({ version: 1, model: "attune:base", task: "sequence-classificatio", data: {} }));
  const [program = "", ...args] = commands.deno ?? [];
  // Deno compiles every module for the first time.
  const env = { ...process.env, DENO_DIR: mkdtempSync(join(tmpdir(), "attune-deno-")), NO_COLOR: "1" };
  const output = join(folder, "refused");
  const said = await new Promise<string>((resolve) =>
    execFile(program, [...args, "run", wrong, "--output", output], { env }, (error, _, stderr) => {
      resolve(`${error?.code}: ${stderr}`);
    })
  );
  assert.match(said, /^2: .*[^]*did you mean "sequence-classification"/);
});

/** A large file on the command line: what was found out about it is kept, unless that is not wanted. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, it } from "node:test";
import { main } from "../../runtimes/cli/main.ts";

const folder = mkdtempSync(join(tmpdir(), "attune-cli-cache-"));
const before = process.env.ATTUNE_CACHE;
after(() => {
  if (before === undefined) delete process.env.ATTUNE_CACHE;
  else process.env.ATTUNE_CACHE = before;
  rmSync(folder, { recursive: true });
});

// 17 MB in 12,000 lines, of which few words are read.
const filler = "y".repeat(1400);
const row = (i: number): string => JSON.stringify({ text: `film ${i % 97}`, label: i % 3 ? "good" : "bad", filler });
writeFileSync(join(folder, "rows.jsonl"), Array.from({ length: 12_000 }, (_, i) => row(i)).join("\n"));
const rows = { use: "jsonl", with: { path: "./rows.jsonl" } };
writeFileSync(
  join(folder, "spec.json"),
  JSON.stringify({
    version: 1,
    model: "attune:base",
    task: "sequence-classification",
    data: { train: rows, eval: { use: "jsonl", with: { path: "./rows.jsonl", split: "train[:20]" } } },
    adapter: "lora",
    training: { maxSteps: 2, maxLength: 16 },
  }),
);

it("a run keeps the index of lines, the names of classes and the count of leaks, and --no-cache keeps nothing", async () => {
  const cache = join(folder, "cache");
  process.env.ATTUNE_CACHE = cache;
  const run = async (name: string, ...more: readonly string[]): Promise<string[]> => {
    const output = join(folder, name);
    assert.equal(await main(["run", join(folder, "spec.json"), "--output", output, ...more]), 0);
    const steps = readFileSync(join(output, "log.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
    return steps.flatMap(({ type, loss }) => (type === "step" ? [loss] : []));
  };
  const first = await run("first");
  assert.deepEqual(readdirSync(cache).sort(), ["labels", "leaks", "records"]);
  assert.deepEqual(await run("second"), first);
  const spec = JSON.parse(readFileSync(join(folder, "second", "spec.json"), "utf8"));
  assert.deepEqual(spec.task.with.labels, ["bad", "good"]);
  rmSync(cache, { recursive: true });
  assert.deepEqual(await run("third", "--no-cache"), first);
  assert.ok(!existsSync(cache), "nothing was kept");
});

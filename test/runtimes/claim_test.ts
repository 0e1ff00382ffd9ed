import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describe, it } from "node:test";
import { AttuneError } from "../../core/base/errors.ts";
import { checkWritable, claimFolder, isClaim } from "../../runtimes/host/claim.ts";
import { makeFolder } from "../../runtimes/host/make_folder.ts";
import { commands, here, killableRun, started } from "../faults/killed_runs.ts";

const folder = (): string => mkdtempSync(join(tmpdir(), "attune-claim-"));
const claimsIn = (path: string): string[] => readdirSync(path).filter(isClaim);
const refused = (error: unknown): boolean =>
  error instanceof AttuneError && error.code === "REFUSED" && error.message.includes(`process ${process.pid} on `);

/** A claim of another process, as this one's would be. */
async function leftBehind(path: string, change: object): Promise<void> {
  const release = await claimFolder(path);
  const [name = ""] = claimsIn(path);
  const claim = JSON.parse(readFileSync(join(path, name), "utf8"));
  await release();
  const other = `${name}-other`;
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, other), JSON.stringify({ ...claim, ...change, name: other }));
}

/** The number of a process that was, and is no more. */
async function endedProcess(): Promise<number> {
  const child = spawn(process.execPath, ["--version"], { stdio: "ignore" });
  await new Promise((resolve) => child.on("close", resolve));
  return child.pid ?? 0;
}

describe("a folder that is claimed", () => {
  it("has one holder, who is named, until it is let go", async () => {
    const path = join(folder(), "a", "b");
    const release = await claimFolder(path);
    await assert.rejects(claimFolder(path), refused);
    assert.equal(claimsIn(path).length, 1);
    await release();
    assert.ok(!existsSync(join(path, "..")), "what was made for it is gone");
    await (await claimFolder(path))();
  });

  it("keeps what was written into it", async () => {
    const path = join(folder(), "a");
    const release = await claimFolder(path);
    writeFileSync(join(path, "log"), "");
    await release();
    assert.deepEqual(readdirSync(path), ["log"]);
  });

  it("of many that start together exactly one has", async () => {
    for (let round = 0; round < 10; round++) {
      const path = join(folder(), "a");
      const all = await Promise.allSettled(Array.from({ length: 6 }, () => claimFolder(path)));
      const [winner, ...others] = all.filter((one) => one.status === "fulfilled");
      assert.ok(winner && others.length === 0);
      for (const one of all) if (one.status === "rejected") assert.ok(refused(one.reason), String(one.reason));
      await winner.value();
    }
  });

  it("is free where its holder is dead, or another process has its number", async () => {
    for (const change of [{ pid: await endedProcess() }, { started: "1" }]) {
      if ("started" in change && !existsSync("/proc/self/stat")) continue;
      const path = folder();
      await leftBehind(path, { settled: true, ...change });
      await (await claimFolder(path))();
      assert.deepEqual(readdirSync(path), []);
    }
    const path = folder();
    writeFileSync(join(path, ".~attune-claim-torn"), '{"name":');
    await (await claimFolder(path))();
  });

  it("of another machine is its own for as long as it is renewed", async () => {
    const path = folder();
    await leftBehind(path, { settled: true, place: "another machine" });
    await assert.rejects(claimFolder(path), refused);
    const [name = ""] = claimsIn(path);
    const long = new Date(Date.now() - 3_600_000);
    utimesSync(join(path, name), long, long);
    await (await claimFolder(path))();
  });

  it("is refused where nothing can be written: below a file, and where folders are made by nobody", async () => {
    const file = join(folder(), "file");
    writeFileSync(file, "");
    const places = [join(file, "out"), file, ...process.platform === "linux" ? ["/proc/attune", "/proc/a/b"] : []];
    for (const path of places) {
      for (const act of [claimFolder, checkWritable]) {
        const rejected = (error: unknown): boolean =>
          error instanceof AttuneError && error.code === "NOT_WRITABLE" && error.message.includes(path);
        await assert.rejects(act(path), rejected, path);
      }
      await assert.rejects(makeFolder(path));
    }
    const path = join(folder(), "a", "b");
    await checkWritable(path);
    assert.ok(!existsSync(join(path, "..")));
  });
});

describe("attune run", () => {
  const { folder, spec } = killableRun({
    training: { maxSteps: 100_000, learningRate: 1e-6, evalStrategy: "no", loadBestModelAtEnd: false, saveSteps: 50 },
    callbacks: [],
  });
  const run = (
    output: string,
  ): string[] => [...commands[here] ?? [], "run", spec, "--output", output, "--json", "--resume"];

  it("ends before its first step where its output cannot be written", async () => {
    const places = [join(spec, "out"), ...process.platform === "linux" ? ["/proc/attune"] : []];
    for (const output of places) {
      const ended = await started(run(output));
      assert.equal(ended.code, 2, ended.output);
      assert.ok(ended.output.includes(`${output} cannot be written to`), ended.output);
      assert.doesNotMatch(ended.output, /"type":|^ {4}at /m);
    }
  });

  it("has its folder alone; when it is killed another may go on", async () => {
    const output = join(folder, "out");
    let second: Promise<{ code: number | null; output: string }> | undefined;
    let pid = 0;
    const first = await started(run(output), (line, child) => {
      if (second || !line.includes('"type":"checkpoint"')) return;
      pid = child.pid;
      second = started(run(output)).finally(() => child.kill("SIGKILL"));
    });
    assert.equal(first.signal ?? first.code, first.signal ? "SIGKILL" : 137);
    const outcome = await second;
    assert.equal(outcome?.code, 3, outcome?.output);
    assert.match(outcome?.output ?? "", new RegExp(`is in use: process ${pid} on `));
    assert.equal(claimsIn(output).length, 1, "the claim of a process that was killed is still there");
    let asked = false;
    const again = await started(run(output), (line, child) => {
      if (asked || !line.includes('"type":"step"')) return;
      asked = true;
      child.kill("SIGINT");
    });
    assert.equal(again.code, 130, again.output);
    assert.deepEqual(claimsIn(output), []);
    const steps = readFileSync(join(output, "log.jsonl"), "utf8").trim().split("\n").map((line) => JSON.parse(line))
      .filter(({ type }) => type === "step").map(({ step }) => step);
    assert.deepEqual(steps, steps.map((_, i) => i + 1), "the log has each step once");
  });
});

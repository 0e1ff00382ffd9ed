/** Real runs of the command line that are killed, for the short and the long form of the test. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { Json, Named } from "../../core/types.ts";
import { tinyFiles, tinySpec } from "../tiny.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const bin = (name: string): string => join(root, "node_modules", ".bin", name);

/** How each runtime runs the command line. */
export const commands: Named<readonly string[]> = {
  node: [bin("node"), join(root, "runtimes/cli.ts")],
  bun: [bin("bun"), join(root, "runtimes/cli.ts")],
  deno: [bin("deno"), "run", "-A", "--no-check", join(root, "runtimes/cli.ts")],
};

/** The runtime that this test runs in. */
export const here: string = "Bun" in globalThis ? "bun" : "Deno" in globalThis ? "deno" : "node";

/**
 * A folder with a tiny model and a spec that has everything that makes resuming hard: dropout, shuffling, accumulation,
 * evaluations whose best is put back at the end, a callback, several logs.
 */
export function killableRun(change: Named<Json> = {}): { folder: string; spec: string } {
  const folder = mkdtempSync(join(tmpdir(), "attune-kill-"));
  mkdirSync(join(folder, "model"));
  for (const [name, bytes] of Object.entries(tinyFiles())) writeFileSync(join(folder, "model", name), bytes);
  const config = { hidden_dropout_prob: 0.1, attention_probs_dropout_prob: 0.1 };
  const spec = join(folder, "spec.json");
  writeFileSync(
    spec,
    JSON.stringify({
      ...tinySpec({ adapter: [{ use: "lora", with: { r: 2, loraDropout: 0.1 } }] }),
      model: { use: "pretrained", with: { path: "./model", config } },
      callbacks: [{ use: "early-stopping", with: { earlyStoppingPatience: 100 } }],
      loggers: ["csv"],
      ...change,
      training: {
        learningRate: 0.02,
        maxSteps: 60,
        perDeviceTrainBatchSize: 4,
        gradientAccumulationSteps: 2,
        seed: 3,
        evalStrategy: "steps",
        evalSteps: 7,
        saveSteps: 5,
        saveTotalLimit: 2,
        loggingSteps: 4,
        loadBestModelAtEnd: true,
        ...change.training as Named<Json>,
      },
    }),
  );
  return { folder, spec };
}

/** How a process ended, and what it said. */
export type Ended = Readonly<{ code: number | null; signal: string | null; output: string }>;

/** Starts a command in an environment; `stop` is told every line that it writes. */
export function started(
  command: readonly string[],
  stop: (line: string, child: Readonly<{ kill(signal: NodeJS.Signals): void; pid: number }>) => void = () => {},
  env: NodeJS.ProcessEnv = process.env,
): Promise<Ended> {
  const [program = "", ...args] = command;
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...env, NO_COLOR: "1" } });
  let [output, rest] = ["", ""];
  // Not child.kill: Deno then says that the signal has ended the process, even where it has exited by itself.
  const own = {
    pid: child.pid ?? 0,
    kill: (signal: NodeJS.Signals): void => {
      if (child.exitCode === null && child.signalCode === null) process.kill(child.pid ?? 0, signal);
    },
  };
  child.stdout.on("data", (chunk: Uint8Array) => {
    const lines = (rest + new TextDecoder().decode(chunk)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) stop(line, own);
    output += new TextDecoder().decode(chunk);
  });
  child.stderr.on("data", (chunk: Uint8Array) => (output += new TextDecoder().decode(chunk)));
  return new Promise((resolve) => child.on("close", (code, signal) => resolve({ code, signal, output })));
}

/** Trains to the end without a stop. */
export async function uninterrupted(spec: string, output: string, runtime: string = here): Promise<void> {
  const ended = await started([...commands[runtime] ?? [], "run", spec, "--output", output, "--threads", "1"]);
  assert.equal(ended.code, 0, ended.output);
}

/**
 * Trains, kills the process after random times, and resumes until it is done. `runtimes` take turns. Gives how many kills
 * hit a living process.
 */
export async function killed(
  spec: string,
  output: string,
  kills: number,
  random: (index: number) => number,
  runtimes: readonly string[] = [here],
): Promise<number> {
  let hit = 0;
  for (let attempt = 0;; attempt++) {
    const runtime = runtimes[attempt % runtimes.length] ?? here;
    const args = ["run", spec, "--output", output, "--threads", "1", "--resume", "--json"];
    // Counted in events, so that a slow machine is killed at the same places, then a moment more.
    const after = hit < kills ? Math.floor(random(2 * attempt) * 14) : Infinity;
    let events = 0;
    const ended = await started([...commands[runtime] ?? [], ...args], (_line, child) => {
      if (events++ === after) setTimeout(() => child.kill("SIGKILL"), 20 * random(2 * attempt + 1));
    });
    if (ended.signal === "SIGKILL" || ended.code === 137) hit++;
    else {
      assert.equal(ended.code, 0, ended.output);
      if (hit >= kills || attempt > 4 * kills) return hit;
      // It had come to its end before this process got its turn to kill it: all over again.
      rmSync(output, { recursive: true });
      hit = 0;
    }
  }
}

/** Everything that must not differ between two runs: weights, optimizer state, metrics and logs, by file. */
export function resultsOf(output: string): Named<string> {
  const files: Record<string, string> = {};
  for (const name of readdirSync(output, { recursive: true, encoding: "utf8" })) {
    const file = name.replaceAll("\\", "/");
    const kept =
      /^(adapter|model|checkpoints)\/.*\.(safetensors|json)$|^(log\.jsonl|log\.csv|eval\.csv|metrics\.json)$/;
    if (!kept.test(file)) continue;
    const bytes = readFileSync(join(output, name));
    files[file] = file.endsWith("/checkpoint.json") ? timeless(bytes.toString("utf8")) : bytes.toString("base64");
  }
  return files;
}

/** A manifest without what the report remembers: how many seconds the steps took. */
function timeless(text: string): string {
  const { manifest } = JSON.parse(text);
  const logs = Object.entries(manifest.logs).filter(([name]) => !name.startsWith("report "));
  return JSON.stringify({ ...manifest, logs });
}

/** Compares them; says which file differs. */
export function assertSameResults(a: string, b: string): void {
  const [x, y] = [resultsOf(a), resultsOf(b)];
  assert.deepEqual(Object.keys(x).sort(), Object.keys(y).sort());
  assert.ok(Object.keys(x).length > 6, "results are there");
  for (const [file, bytes] of Object.entries(x)) assert.ok(bytes === y[file], `${file} differs`);
}

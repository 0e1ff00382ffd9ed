/**
 * Compares whole commands: `attune run` and Hugging Face's Trainer on the same rows, one after the other, per seed.
 *
 *     node bench/whole.ts --mode lora --seeds 1,2,3
 */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

type Figures = Readonly<{ accuracy: number; wallSeconds: number; peakRssBytes: number; firstStepSeconds: number }>;

const root = fileURLToPath(new URL("..", import.meta.url));
const { values: flags } = parseArgs({
  options: {
    mode: { type: "string", default: "lora" },
    seeds: { type: "string", default: "1,2,3" },
    model: { type: "string", default: fileURLToPath(new URL("../../shared/models/all-MiniLM-L6-v2", import.meta.url)) },
    python: { type: "string", default: process.env["HF_PYTHON"] ?? "python3" },
    hf: { type: "string", default: "" },
    only: { type: "string", default: "" },
  },
});

/** Runs a command and measures its peak memory; `line` receives its output. */
async function watched(
  command: readonly string[],
  line: (text: string) => void,
): Promise<{ seconds: number; peak: number }> {
  const [program = "", ...args] = command;
  const env: NodeJS.ProcessEnv = { ...process.env };
  delete env["OPENBLAS_CORETYPE"];
  delete env["OPENBLAS_L2_SIZE"];
  const start = performance.now();
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "ignore"] });
  let peak = 0;
  const look = (): void => {
    try {
      const own = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1];
      peak = Math.max(peak, 1024 * Number(own ?? 0));
    } catch {
      // it has ended
    }
  };
  const timer = setInterval(look, 50);
  createInterface({ input: child.stdout }).on("line", line);
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  clearInterval(timer);
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}`);
  return { seconds: (performance.now() - start) / 1000, peak };
}

async function attune(seed: number): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), "attune-whole-"));
  const lora = { use: "lora", with: { r: 8, loraAlpha: 16, loraDropout: 0.1, targetModules: ["query", "value"] } };
  const spec = {
    version: 1,
    name: "whole",
    model: { use: "pretrained", with: { path: flags.model } },
    task: { use: "sequence-classification", with: { labels: ["negative", "positive"] } },
    data: { train: { use: "reviews", with: { split: "train" } }, eval: { use: "reviews", with: { split: "test" } } },
    ...(flags.mode === "lora" ? { adapter: lora } : {}),
    training: {
      learningRate: flags.mode === "lora" ? 1e-3 : 5e-5,
      numTrainEpochs: 3,
      perDeviceTrainBatchSize: 16,
      maxLength: 128,
      seed,
    },
  };
  writeFileSync(join(folder, "spec.json"), JSON.stringify(spec));
  const start = performance.now();
  let first = 0;
  const command = [
    process.execPath,
    `${root}runtimes/cli.ts`,
    "run",
    join(folder, "spec.json"),
    "--output",
    join(folder, "out"),
    "--json",
  ];
  const { seconds, peak } = await watched(command, (text) => {
    if (first === 0 && text.includes('"type":"step"')) first = (performance.now() - start) / 1000;
  });
  const { accuracy } = JSON.parse(readFileSync(join(folder, "out/metrics.json"), "utf8"));
  rmSync(folder, { recursive: true });
  return { accuracy, wallSeconds: seconds, peakRssBytes: peak, firstStepSeconds: first };
}

async function huggingFace(seed: number): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), "attune-whole-"));
  const out = join(folder, "results.json");
  const extra = flags.hf.split(" ").filter((word) => word !== "");
  const command = [
    flags.python,
    `${root}bench/hf/trainer.py`,
    "--mode",
    flags.mode,
    "--model",
    flags.model,
    "--seed",
    `${seed}`,
    "--out",
    out,
    ...extra,
  ];
  const { seconds, peak } = await watched(command, () => {});
  const result = JSON.parse(readFileSync(out, "utf8"));
  rmSync(folder, { recursive: true });
  return {
    accuracy: result.accuracy,
    wallSeconds: seconds,
    peakRssBytes: peak,
    firstStepSeconds: result.firstStepSeconds,
  };
}

const contenders = { attune, hf: huggingFace };
const results: Record<string, Figures[]> = {};
for (const seed of flags.seeds.split(",").map(Number)) {
  for (const [name, run] of Object.entries(contenders)) {
    if (flags.only !== "" && flags.only !== name) continue;
    const figures = await run(seed);
    (results[name] ??= []).push(figures);
    console.log(name.padEnd(8), `seed ${seed}`, JSON.stringify(figures));
  }
}
const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
for (const [name, list] of Object.entries(results)) {
  console.log(
    `${name.padEnd(8)} accuracy ${mean(list.map((f) => f.accuracy)).toFixed(4)}, wall ${
      mean(list.map((f) => f.wallSeconds)).toFixed(1)
    } s, ` +
      `peak ${Math.round(Math.max(...list.map((f) => f.peakRssBytes)) / 1e6)} MB, first step ${
        mean(list.map((f) => f.firstStepSeconds)).toFixed(2)
      } s`,
  );
}
const [a, b] = [results["attune"], results["hf"]];
if (a && b) {
  console.log(
    `wall time: ${(mean(a.map((f) => f.wallSeconds)) / mean(b.map((f) => f.wallSeconds))).toFixed(2)} of theirs`,
  );
}
mkdirSync(`${root}bench/results`, { recursive: true });
writeFileSync(
  `${root}bench/results/whole-${flags.mode}-${new Date().toISOString().replace(/[:.]/g, "-")}.json`,
  JSON.stringify(results, null, 2),
);

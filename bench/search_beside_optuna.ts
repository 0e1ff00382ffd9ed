/**
 * Trials of the reviews with `attune:base`, compared with Optuna and Hugging Face's Trainer: time of one run, and of 20
 * trials. The same space, rows, batches, epochs and threads; Trainer trains the embedded base, written as a folder
 * for transformers. Each command is timed from start to end; a single run also without the time to load torch,
 * since many trials load it once.
 *
 *     HF_PYTHON=... node bench/search_beside_optuna.ts [--trials 20] [--rows 320] [--rounds 2] [--threads 2]
 *
 * `pip install optuna` beside bench/requirements.txt.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Json, Named } from "../core/types.ts";
import { reviews } from "../plugins/data/reviews.ts";
import { hostHere, trainInWorker } from "../runtimes/host/train.ts";
import { collect } from "../core/base/collect.ts";

const { values } = parseArgs({
  options: {
    trials: { type: "string", default: "20" },
    rows: { type: "string", default: "320" },
    rounds: { type: "string", default: "2" },
    threads: { type: "string", default: "2" },
    python: { type: "string", default: process.env.HF_PYTHON ?? "python3" },
    /** Trains one spec, in a process of its own. */
    one: { type: "string" },
  },
});
const [trials, count, rounds, threads] = [values.trials, values.rows, values.rounds, values.threads].map(Number) as [
  number,
  number,
  number,
  number,
];
const root = fileURLToPath(new URL("..", import.meta.url));

if (values.one === undefined) await compare();
else await trainOne(values.one);

/** Trains a run without a report, as each trial is. */
async function trainOne(path: string): Promise<void> {
  const { spec, output } = JSON.parse(readFileSync(path, "utf8")) as { spec: Json; output: string };
  const start = performance.now();
  for await (const event of trainInWorker(spec, { output, threads })) {
    if (event.type !== "end") continue;
    const seconds = (performance.now() - start) / 1000;
    console.log(JSON.stringify({ accuracy: event.metrics.accuracy, runs: 1, seconds }));
  }
}

async function compare(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "attune-search-bench-"));
  const at = (name: string): string => join(folder, name);
  try {
    const spec = await prepared(folder);
    const python = (count: number): readonly string[] => [
      ...[values.python, join(root, "bench/hf/search.py"), "--model", at("base/model"), "--threads", `${threads}`],
      ...["--train", at("train.jsonl"), "--eval", at("eval.jsonl"), "--max-length", "64", "--trials", `${count}`],
    ];
    const node = process.execPath;
    let trial = 0;
    const one = (): readonly string[] => {
      const path = at(`one-${trial}.json`);
      writeFileSync(path, JSON.stringify({ spec, output: at(`one-${trial++}`) }));
      return [node, fileURLToPath(import.meta.url), "--one", path, "--threads", `${threads}`];
    };
    const search = (): readonly string[] => {
      const path = at(`search-${trial}.json`);
      const space = {
        "training.learningRate": { type: "float", low: 1e-4, high: 2e-2, log: true },
        "adapter.with.r": { type: "categorical", choices: [4, 8] },
      };
      const own = { use: "tpe", with: { trials, metric: "accuracy", space } };
      writeFileSync(path, JSON.stringify({ ...spec, search: own }));
      return [node, join(root, "runtimes/cli.ts"), "search", path, "--output", at(`search-${trial++}`), "--json"];
    };
    const ratio = async (what: string, ours: () => readonly string[], theirs: readonly string[]) => {
      const times: [number[], number[]] = [[], []];
      const runs: [number[], number[]] = [[], []];
      for (let round = 0; round < rounds; round++) {
        for (const [i, command] of [ours(), theirs].entries()) {
          const { seconds, last } = await timed(command);
          times[i]?.push(seconds);
          runs[i]?.push((JSON.parse(last) as { seconds?: number }).seconds ?? NaN);
          const name = i === 0 ? "attune" : "hf";
          console.log(`${what.padEnd(12)} ${name.padEnd(7)} ${seconds.toFixed(1)} s  ${figuresIn(last)}`);
        }
      }
      // The best time of each, because other load on the machine makes no run faster.
      return [times, runs].map(([own, other]) => Math.min(...other as number[]) / Math.min(...own as number[]));
    };
    const [command = NaN, run = NaN] = await ratio("one run", one, python(0));
    const [all = NaN] = await ratio(`${trials} trials`, search, python(trials));
    console.log(`one run, the whole command: ${command.toFixed(2)} times as fast as Trainer's`);
    console.log(`one run, once the libraries are loaded: ${run.toFixed(2)} times`);
    console.log(`${trials} trials, the whole command: ${all.toFixed(2)} times (Attune trains the best once more)`);
    console.log(`${all >= run ? "holds" : "falls short"}: trials against one run once the libraries are loaded`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes the rows, and the embedded base as a folder for transformers; returns the spec of a run. */
async function prepared(folder: string): Promise<Named<Json>> {
  const rows = (await collect((await reviews({ split: "train" }).open(await hostHere())).read())).map(({ row }) => row);
  // One row in every few, so that all three files are represented.
  const every = Math.floor(rows.length / (count + count / 2));
  const some = rows.filter((_, i) => i % every === 0).slice(0, count + count / 2);
  const data: Record<string, Json> = {};
  for (const [name, own] of [["train", some.slice(0, count)], ["eval", some.slice(count)]] as const) {
    const path = join(folder, `${name}.jsonl`);
    writeFileSync(path, own.map((row) => `${JSON.stringify(row)}\n`).join(""));
    data[name] = { use: "jsonl", with: { path } };
  }
  const spec = {
    version: 1,
    name: "reviews",
    model: "attune:base",
    task: { use: "sequence-classification", with: { labels: ["negative", "positive"] } },
    data: { ...data, leakThreshold: 1 },
    metrics: ["accuracy"],
    training: {
      learningRate: 2e-3,
      numTrainEpochs: 1,
      perDeviceTrainBatchSize: 16,
      perDeviceEvalBatchSize: 64,
      maxLength: 64,
      saveStrategy: "no",
    },
  };
  // A step that changes nothing leaves the base with a new head, in float32.
  const still = { ...spec, training: { ...spec.training, learningRate: 1e-12, maxSteps: 1 } };
  for await (const _ of trainInWorker(still, { output: join(folder, "base") }));
  const targetModules = ["query", "value"];
  // The base has no pooler, so that one is trained on both sides.
  const lora = { r: 8, loraAlpha: 16, loraDropout: 0.1, targetModules, modulesToSave: ["pooler"] };
  const adapter = { use: "lora", with: lora };
  return { ...spec, adapter };
}

/** Returns how long a command takes, and its last line. */
async function timed(command: readonly string[]): Promise<{ seconds: number; last: string }> {
  const [program = "", ...args] = command;
  const env: NodeJS.ProcessEnv = { ...process.env, OMP_NUM_THREADS: `${threads}` };
  delete env.OPENBLAS_CORETYPE;
  delete env.OPENBLAS_L2_SIZE;
  const start = performance.now();
  const child = spawn(program, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  let [out, err] = ["", ""];
  child.stdout.on("data", (chunk) => (out += String(chunk)));
  child.stderr.on("data", (chunk) => (err += String(chunk)));
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  if (code !== 0) throw new Error(`${command.join(" ")} ended with ${code}:\n${err.slice(-2000)}`);
  return { seconds: (performance.now() - start) / 1000, last: out.trimEnd().split("\n").at(-1) ?? "" };
}

function figuresIn(line: string): string {
  const { accuracy, value, runs = trials + 1 } = JSON.parse(line) as Named<number>;
  return `accuracy ${Number(accuracy ?? value).toFixed(3)}, ${runs} ${runs === 1 ? "run" : "runs"}`;
}

/**
 * Data sets of ten thousand, a million and ten million short rows: time until the first step, tokens a second, memory,
 * and time until a step's rows are ready at any position of an epoch.
 *
 *     node bench/rows.ts [--rows 10000,1000000,10000000] [--steps 600] [--folder DIR] [--resume]
 *
 * LoRA on the embedded base, 16 rows a step. "first" has an empty cache, "again" the one that the first has left. With
 * HF_PYTHON the same files go through `datasets.map` and Trainer. With `--resume` nothing else is measured than the first step
 * of a run that goes on from a checkpoint near the first row, and of one that goes on near row 0.9 of all, in turn.
 */
import { spawn } from "node:child_process";
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compose } from "../core/spec/compose.ts";
import { openLines } from "../core/data/line_index.ts";
import { createRandom } from "../core/math/random.ts";
import { checkpointsIn } from "../core/run/checkpoints/checkpoints.ts";
import { batchPlan } from "../core/run/rows/batches.ts";
import { encodeRows, trainData } from "../core/run/rows/data.ts";
import { openRun } from "../core/run/open/open.ts";
import type { RunSpec } from "../core/types.ts";
import { catalog } from "../plugins/catalog.ts";
import { directoryStore } from "../runtimes/host/directory_store.ts";
import { hostHere } from "../runtimes/host/train.ts";

const { values: flags } = parseArgs({
  options: {
    rows: { type: "string", default: "10000,1000000,10000000" },
    steps: { type: "string", default: "600" },
    folder: { type: "string" },
    resume: { type: "boolean", default: false },
  },
});
const root = fileURLToPath(new URL("..", import.meta.url));
const folder = flags.folder ?? mkdtempSync(join(tmpdir(), "attune-rows-"));
const cache = join(folder, "cache");
const words = "the a film phone food service was is not very good bad nice awful great poor slow fast and but".split(
  " ",
);

/** Writes a file of `count` different rows of 6 to 14 words. */
async function written(count: number): Promise<string> {
  const path = join(folder, `${count}.jsonl`);
  if (existsSync(path)) return path;
  const random = createRandom(count);
  const file = createWriteStream(path);
  let text = "";
  for (let i = 0; i < count; i++) {
    const length = 6 + random.bits(i) % 9;
    let bits = random.bits(count + i);
    const chosen = Array.from({ length }, () => {
      bits = (Math.imul(bits, 1664525) + 1013904223) >>> 0;
      return words[bits % words.length];
    });
    text += `${JSON.stringify({ text: `${chosen.join(" ")} ${i}`, label: bits % 2 ? "good" : "bad" })}\n`;
    if (text.length < 2 ** 20 && i < count - 1) continue;
    if (!file.write(text)) await once(file, "drain");
    text = "";
  }
  file.end();
  await once(file, "close");
  return path;
}

const specOf = (path: string): RunSpec => ({
  version: 1,
  name: "rows",
  model: "attune:base",
  task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
  data: { train: { use: "jsonl", with: { path } } },
  adapter: { use: "lora", with: { r: 8, targetModules: ["query", "value"] } },
  training: { maxSteps: Number(flags.steps), perDeviceTrainBatchSize: 16, maxLength: 64, saveStrategy: "no" },
} as unknown as RunSpec);

type Figures = Readonly<{ firstStep: number; tokens: number; mebibytes: number }>;

/** Measures a run in a process of its own: time until its first step, tokens a second after it, and peak memory. */
async function ran(command: string, args: readonly string[]): Promise<Figures> {
  const began = performance.now();
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ATTUNE_CACHE: cache },
  });
  let [firstStep, tokens, last, most] = [0, 0, 0, 0];
  createInterface({ input: child.stdout }).on("line", (line) => {
    const event = line.startsWith("{") ? JSON.parse(line) as { type?: string; tokens?: number } : {};
    if (event.type !== "step") return;
    last = (performance.now() - began) / 1000;
    if (firstStep === 0) firstStep = last;
    else tokens += event.tokens ?? 0;
    most = Math.max(most, Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1] ?? 0));
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  if (code !== 0 || firstStep === 0) throw new Error(`${command} ended with ${code}`);
  return { firstStep, tokens: tokens / (last - firstStep), mebibytes: most / 1024 };
}

/** Measures seconds until the first step of runs that resume after each of these rows, in turn: medians of five. */
async function resumed(path: string, count: number, rows: readonly number[]): Promise<readonly number[]> {
  const [output, spec] = [join(folder, "out"), join(folder, "spec.json")];
  rmSync(output, { recursive: true, force: true });
  const training = { ...specOf(path).training, maxSteps: Math.floor(count / 16), saveStrategy: "steps", saveSteps: 1 };
  writeFileSync(spec, JSON.stringify({ ...specOf(path), training }));
  const until = async (type: string, more: readonly string[]): Promise<number> => {
    const began = performance.now();
    const child = spawn(process.execPath, [
      `${root}runtimes/cli.ts`,
      "run",
      spec,
      "--output",
      output,
      "--json",
      ...more,
    ], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, ATTUNE_CACHE: cache },
    });
    let took = 0;
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (took > 0 || !line.includes(`"type":"${type}"`)) return;
      took = (performance.now() - began) / 1000;
      child.kill("SIGKILL");
    });
    await once(child, "close");
    if (took === 0) throw new Error(`The run ended without ${type}`);
    return took;
  };
  await until("checkpoint", []);
  const { saved } = await checkpointsIn(directoryStore(output)).newest();
  if (!saved) throw new Error("The run has left no checkpoint");
  const times: number[][] = rows.map(() => []);
  for (let round = 0; round < 5; round++) {
    for (const [i, row] of rows.entries()) {
      rmSync(join(output, "checkpoints"), { recursive: true, force: true });
      // A step's rows depend on its number only, so the same state can be marked as that of a later step.
      const state = { ...saved.state, step: Math.max(1, Math.floor(row / 16)) };
      await checkpointsIn(directoryStore(output)).save({ ...saved, state });
      times[i]?.push(await until("step", ["--resume"]));
    }
  }
  return times.map((own) => own.sort((a, b) => a - b)[2] ?? NaN);
}

/** Measures milliseconds until the rows of a step are ready, early and late in an epoch of a newly opened run. */
async function places(path: string, count: number): Promise<readonly number[]> {
  process.env.ATTUNE_CACHE = cache;
  const open = await openRun(compose(specOf(path), catalog), await hostHere());
  const times: number[] = [];
  for (const row of [9, 0.9 * count]) {
    const train = await encodeRows(open, trainData(open), true);
    const began = performance.now();
    await batchPlan(open.run, [{ open, train, evalRows: undefined }]).of(0, Math.floor(row / 16));
    times.push(performance.now() - began);
  }
  return times;
}

function shown(what: string, { firstStep, tokens, mebibytes }: Figures): void {
  console.log(
    `${what}: ${firstStep.toFixed(2)} s to the first step, ${tokens.toFixed(0)} tokens/s, ${mebibytes.toFixed(0)} MiB`,
  );
}

try {
  mkdirSync(folder, { recursive: true });
  for (const count of flags.rows.split(",").map(Number)) {
    const path = await written(count);
    if (flags.resume) {
      const rows = [9, 0.9 * count];
      const [early = 0, late = 0] = await resumed(path, count, rows);
      console.log(`${count} rows, resumed: ${early.toFixed(2)} s at row 9, ${late.toFixed(2)} s at row ${0.9 * count}`);
      continue;
    }
    const { size } = statSync(path);
    const began = performance.now();
    await openLines({
      plugin: "bench",
      name: path,
      store: directoryStore(folder),
      key: `${count}.jsonl`,
      identity: path,
    }, undefined);
    console.log(
      `${count} rows, ${(size / 1e6).toFixed(0)} MB: indexed at ${
        (size / 1e3 / (performance.now() - began)).toFixed(0)
      } MB/s`,
    );
    writeFileSync(join(folder, "spec.json"), JSON.stringify(specOf(path)));
    rmSync(cache, { recursive: true, force: true });
    for (const what of ["first", "again"]) {
      rmSync(join(folder, "out"), { recursive: true, force: true });
      const command = ["run", join(folder, "spec.json"), "--output", join(folder, "out"), "--json"];
      shown(what, await ran(process.execPath, [`${root}runtimes/cli.ts`, ...command]));
    }
    const [early = 0, late = 0] = await places(path, count);
    console.log(`rows of a step: ${early.toFixed(1)} ms at row 9, ${late.toFixed(1)} ms at row ${0.9 * count}`);
    const python = process.env.HF_PYTHON;
    if (python === undefined) continue;
    shown(
      "datasets.map and Trainer",
      await ran(python, [`${root}bench/hf/rows.py`, "--rows", path, "--max-steps", flags.steps]),
    );
  }
} finally {
  if (flags.folder === undefined) rmSync(folder, { recursive: true });
}

/**
 * Compares training steps of two or more step servers: the same batches, in turn, in the same minutes. See README.md.
 *
 *     node bench/interleave.ts --mode lora --rounds 6 --steps 6
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import * as v from "valibot";

/** Pause between turns, after which the previous contender's threads have stopped spinning. */
const PAUSE_MS = 200;
const STOP_MS = 10_000;
/** Hugging Face's LengthGroupedSampler sorts within this many batches. */
const MEGABATCH = 50;

const readySchema = v.object({
  event: v.literal("ready"),
  name: v.string(),
  rows: v.number(),
  lengths: v.array(v.number()),
  startMs: v.number(),
  environment: v.optional(v.record(v.string(), v.unknown()), {}),
});
const stepsSchema = v.object({
  event: v.literal("steps"),
  ms: v.array(v.number()),
  losses: v.array(v.nullable(v.number())),
  rss: v.number(),
  peakRss: v.number(),
});
type Ready = v.InferOutput<typeof readySchema>;
type Steps = v.InferOutput<typeof stepsSchema>;
type Batches = readonly (readonly number[])[];

/** One contender: its process, and its first message. */
type Server = Readonly<{
  name: string;
  command: readonly string[];
  ready: Ready;
  steps(batches: Batches): Promise<Steps>;
  stop(): Promise<void>;
}>;

async function startServer(name: string, command: readonly string[], threads: number): Promise<Server> {
  const [program = "", ...args] = command;
  const env: NodeJS.ProcessEnv = { ...process.env, OMP_NUM_THREADS: `${threads}` };
  delete env["OPENBLAS_CORETYPE"];
  delete env["OPENBLAS_L2_SIZE"];
  const child: ChildProcessWithoutNullStreams = spawn(program, args, { env });
  const errors: string[] = [];
  child.stderr.on("data", (chunk) => {
    errors.push(String(chunk));
    if (errors.length > 50) errors.shift();
  });
  const closed = new Promise<string>((resolve) => {
    child.on("error", (error) => resolve(String(error)));
    child.on("close", (code, signal) => resolve(`exit code ${code ?? signal}`));
  });
  // A write to a process that has ended is reported when its end is noticed.
  child.stdin.on("error", () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answer = async <S extends v.GenericSchema>(schema: S): Promise<v.InferOutput<S>> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${name} ended (${await closed}):\n${errors.join("").slice(-3000)}`);
    const parsed = v.safeParse(schema, JSON.parse(value));
    if (!parsed.success) throw new Error(`${name} answered ${value.slice(0, 300)}: ${v.summarize(parsed.issues)}`);
    return parsed.output;
  };
  const stop = async (): Promise<void> => {
    child.stdin.end(`${JSON.stringify({ cmd: "quit" })}\n`);
    await Promise.race([closed, sleep(STOP_MS, undefined, { ref: false })]);
    child.kill();
  };
  try {
    const ready = await answer(readySchema);
    return {
      name,
      command,
      ready,
      stop,
      steps: async (batches) => {
        child.stdin.write(`${JSON.stringify({ cmd: "steps", batches })}\n`);
        const steps = await answer(stepsSchema);
        if (steps.ms.length !== batches.length) {
          throw new Error(`${name} did ${steps.ms.length} steps where ${batches.length} were asked for`);
        }
        return steps;
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Returns a generator of numbers in [0, 1) that depend on the seed only (Mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x ^= x + Math.imul(x ^ (x >>> 7), 61 | x);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffled<T>(values: readonly T[], random: () => number): T[] {
  const result = [...values];
  for (let i = result.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const [a, b] = [result[i], result[j]];
    if (a !== undefined && b !== undefined) [result[i], result[j]] = [b, a];
  }
  return result;
}

/** Makes `count` full batches in random order. Grouped: with rows of similar length, so that any few are typical. */
function makeBatches(
  lengths: readonly number[],
  count: number,
  size: number,
  grouped: boolean,
  seed: number,
): number[][] {
  if (lengths.length < size) throw new Error(`Expected at least ${size} rows but found ${lengths.length}`);
  const random = randomNumbers(seed);
  const batches: number[][] = [];
  while (batches.length < count) {
    let order = shuffled([...lengths.keys()], random);
    if (grouped) {
      const parts = Array.from(
        { length: Math.ceil(order.length / (MEGABATCH * size)) },
        (_, i) => order.slice(i * MEGABATCH * size, (i + 1) * MEGABATCH * size),
      );
      order = parts.flatMap((part) => part.sort((a, b) => (lengths[b] ?? 0) - (lengths[a] ?? 0)));
    }
    const epoch: number[][] = [];
    for (let at = 0; at + size <= order.length; at += size) epoch.push(order.slice(at, at + size));
    batches.push(...(grouped ? shuffled(epoch, random) : epoch));
  }
  return batches.slice(0, count);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] ?? NaN : ((sorted[half - 1] ?? NaN) + (sorted[half] ?? NaN)) / 2;
}

function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

type Spread = Readonly<{ median: number; min: number; max: number; rounds: readonly number[] }>;

function spread(rounds: readonly number[]): Spread {
  return { median: median(rounds), min: Math.min(...rounds), max: Math.max(...rounds), rounds };
}

function showSpread(s: Spread): string {
  return `${s.median.toFixed(2)} (${s.min.toFixed(2)}-${s.max.toFixed(2)})`;
}

const root = fileURLToPath(new URL("..", import.meta.url));
const { values: flags } = parseArgs({
  options: {
    mode: { type: "string", default: "lora" },
    rounds: { type: "string", default: "6" },
    steps: { type: "string", default: "6" },
    warmup: { type: "string", default: "1" },
    "batch-size": { type: "string", default: "16" },
    threads: { type: "string", default: "2" },
    seed: { type: "string", default: "1" },
    grouped: { type: "boolean", default: false },
    model: { type: "string", default: fileURLToPath(new URL("../../shared/models/all-MiniLM-L6-v2", import.meta.url)) },
    python: { type: "string", default: process.env["HF_PYTHON"] ?? "python3" },
    attune: { type: "string", default: "" },
    hf: { type: "string", default: "" },
    contender: { type: "string", multiple: true, default: [] },
    out: { type: "string", default: "" },
  },
});
const whole = (name: "rounds" | "steps" | "warmup" | "batch-size" | "threads" | "seed"): number => {
  const value = Number(flags[name]);
  if (!Number.isSafeInteger(value) || value < (name === "warmup" ? 0 : 1)) {
    throw new Error(`--${name}: expected a whole number but found "${flags[name]}"`);
  }
  return value;
};
const words = (text: string): string[] => text.split(" ").filter((word) => word !== "");

const [rounds, steps, warmup, size, threads] = [
  whole("rounds"),
  whole("steps"),
  whole("warmup"),
  whole("batch-size"),
  whole("threads"),
];
const common = ["--mode", flags.mode, "--model", flags.model, "--threads", `${threads}`];
const commands: (readonly [name: string, command: readonly string[]])[] = flags.contender.length > 0
  ? flags.contender.map((text) => [text.slice(0, text.indexOf("=")), words(text.slice(text.indexOf("=") + 1))])
  : [
    ["attune", [process.execPath, `${root}bench/attune_steps.ts`, ...common, ...words(flags.attune)]],
    ["hf", [flags.python, `${root}bench/hf/steps.py`, ...common, ...words(flags.hf)]],
  ];

const servers: Server[] = [];
try {
  for (const [name, command] of commands) servers.push(await startServer(name, command, threads));
  const [first] = servers;
  if (!first) throw new Error("Expected at least one contender");
  const { lengths } = first.ready;
  for (const { name, ready } of servers) {
    const at = ready.lengths.findIndex((length, i) => length !== lengths[i]);
    if (ready.rows !== first.ready.rows || at >= 0) {
      throw new Error(
        `${name} does not have the rows of ${first.name}: ${ready.rows} rows, the first other length is at ${at}`,
      );
    }
  }
  const batches = makeBatches(lengths, (rounds + warmup) * steps, size, flags.grouped, whole("seed"));
  const padded = sum(batches.map((batch) => size * Math.max(...batch.map((row) => lengths[row] ?? 0))));
  const padding = padded / sum(batches.flat().map((row) => lengths[row] ?? 0));

  const measured = new Map<string, Steps[]>(servers.map((server) => [server.name, []]));
  for (let round = 0; round < rounds + warmup; round++) {
    const part = batches.slice(round * steps, (round + 1) * steps);
    for (const server of round % 2 === 0 ? servers : servers.toReversed()) {
      const result = await server.steps(part);
      if (round >= warmup) measured.get(server.name)?.push(result);
      await sleep(PAUSE_MS);
    }
    console.error(`Round ${round + 1} of ${rounds + warmup}${round < warmup ? " (warm-up, not counted)" : ""}`);
  }

  const firsts = measured.get(first.name) ?? [];
  const order = flags.grouped ? "grouped by length" : "random order";
  console.log(
    `${flags.mode}, batches of ${size}, ${order} (padding ${
      padding.toFixed(2)
    }), ${threads} threads, ${rounds} rounds of ${steps} steps`,
  );
  const contenders = servers.map(({ name, command, ready }) => {
    const results = measured.get(name) ?? [];
    const ms = results.flatMap((r) => r.ms);
    const losses = results.flatMap((r) => r.losses);
    const peakRss = Math.max(...results.map((r) => r.peakRss));
    // Above 1: the first contender is faster.
    const stepRatio = spread(results.map((r, i) => median(r.ms.map((other, j) => other / (firsts[i]?.ms[j] ?? NaN)))));
    const totalRatio = spread(results.map((r, i) => sum(r.ms) / sum(firsts[i]?.ms ?? [])));
    console.log(
      `  ${name.padEnd(12)} ${median(ms).toFixed(1)} ms/step (min ${Math.min(...ms).toFixed(1)}), peak ${
        Math.round(peakRss / 2 ** 20)
      } MiB, start ${(ready.startMs / 1000).toFixed(1)} s`,
    );
    return {
      name,
      command,
      server: ready.name,
      startMs: ready.startMs,
      medianMs: median(ms),
      minMs: Math.min(...ms),
      peakRss,
      stepRatio,
      totalRatio,
      ms: results.map((r) => r.ms),
      losses,
      environment: ready.environment,
    };
  });
  for (const { name, stepRatio, totalRatio } of contenders.slice(1)) {
    console.log(
      `  ${first.name} is ${showSpread(stepRatio)} times as fast as ${name}; by total time ${showSpread(totalRatio)}`,
    );
  }

  const date = new Date().toISOString();
  const folder = `${root}bench/results`;
  mkdirSync(folder, { recursive: true });
  const file = `${folder}/${
    flags.out || `${flags.mode}${flags.grouped ? "-grouped" : ""}-${date.replaceAll(/[:.]/g, "-")}`
  }.json`;
  writeFileSync(file, `${JSON.stringify({ date, arguments: flags, padding, contenders }, null, 2)}\n`);
  console.log(`  written to ${file}`);
} finally {
  await Promise.all(servers.map((server) => server.stop()));
}

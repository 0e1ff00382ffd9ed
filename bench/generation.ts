/**
 * Greedy answers to prompts compared with transformers' generate, in turn; the tokens must be equal. See README.md.
 *
 *     HF_PYTHON=... node bench/generation.ts [--rows 8,1] [--tokens 64] [--rounds 3] [--threads 2] [--dtype bfloat16]
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { homedir, loadavg } from "node:os";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compose } from "../core/spec/compose.ts";
import { encodeAll } from "../core/run/rows/data.ts";
import { generateSamples, generationOf } from "../core/run/evaluate/generate.ts";
import { openEvaluator } from "../core/run/evaluate/infer.ts";
import { openRun } from "../core/run/open/open.ts";
import type { RunSpec } from "../core/types.ts";
import { catalog } from "../plugins/catalog.ts";
import { memory } from "../plugins/data/memory.ts";
import { hostHere } from "../runtimes/host/train.ts";

const { values } = parseArgs({
  options: {
    serve: { type: "boolean", default: false },
    model: { type: "string", default: `${homedir()}/.cache/attune-test-models/SmolLM2-135M-Instruct` },
    rows: { type: "string", default: "8,1" },
    tokens: { type: "string", default: "64" },
    rounds: { type: "string", default: "3" },
    threads: { type: "string", default: "2" },
    dtype: { type: "string", default: "float32" },
  },
});

type Answer = Readonly<{ ms: number; cpuMs: number; tokens: readonly (readonly number[])[]; peakRss: number }>;
type Prompts = Readonly<{ prompts: readonly string[]; maxNewTokens: number }>;

const topics = [
  "the sea",
  "a lost dog",
  "winter in the mountains",
  "an old library",
  "two robots",
  "a baker",
  "the last train",
  "a garden on the moon",
];

/** Answers requests on standard input. */
async function serve(): Promise<void> {
  const say = (message: object): void => void process.stdout.write(JSON.stringify(message) + "\n");
  const start = performance.now();
  const spec: RunSpec = {
    version: 1,
    name: "bench",
    model: { use: "pretrained", with: { path: values.model } },
    task: "causal-lm",
    data: {},
    training: { perDeviceEvalBatchSize: topics.length },
  };
  const open = await openRun(compose(spec, catalog), await hostHere(Number(values.threads)));
  const evaluator = openEvaluator(open);
  say({ startMs: performance.now() - start });
  for await (const line of createInterface({ input: process.stdin })) {
    const { prompts, maxNewTokens }: Prompts = JSON.parse(line);
    const [from, cpu] = [performance.now(), process.cpuUsage()];
    const rows = prompts.map((content) => ({ messages: [{ role: "user", content }] }));
    const samples = await encodeAll(open, memory({ rows }), false);
    const options = await generationOf(open, { maxNewTokens });
    const tokens: (readonly number[])[] = [];
    for await (const own of generateSamples(open, await evaluator.generator(), samples, options)) {
      tokens.push(own.tokens);
    }
    const { user, system } = process.cpuUsage(cpu);
    const status = readFileSync("/proc/self/status", "utf8");
    const peakRss = 1024 * Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0);
    say({ ms: performance.now() - from, cpuMs: (user + system) / 1000, tokens, peakRss });
  }
  await evaluator.close();
}

async function started(command: readonly string[]): Promise<
  Readonly<{ startMs: number; ask(asked: Prompts): Promise<Answer>; stop(): void }>
> {
  const [program = "", ...args] = command;
  const env: NodeJS.ProcessEnv = { ...process.env, OMP_NUM_THREADS: values.threads };
  // A setting of kernels for this machine must not slow torch down on another.
  delete env["OPENBLAS_CORETYPE"];
  delete env["OPENBLAS_L2_SIZE"];
  const child: ChildProcessWithoutNullStreams = spawn(program, [...args, "--model", values.model], { env });
  let errors = "";
  child.stderr.on("data", (chunk) => (errors = (errors + String(chunk)).slice(-3000)));
  child.stdin.on("error", () => {});
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async <T>(): Promise<T> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${command.join(" ")} ended:\n${errors}`);
    return JSON.parse(value) as T;
  };
  const { startMs } = await next<{ startMs: number }>();
  return {
    startMs,
    ask: async (asked) => {
      child.stdin.write(JSON.stringify(asked) + "\n");
      return await next<Answer>();
    },
    stop: () => void child.stdin.end(),
  };
}

async function compare(): Promise<void> {
  const here = fileURLToPath(import.meta.url);
  const python = process.env["HF_PYTHON"] ?? "python3";
  const peer = fileURLToPath(new URL("hf/generation.py", import.meta.url));
  const theirs = await started([python, peer, "--threads", values.threads, "--dtype", values.dtype]);
  const ours = await started([process.execPath, here, "--serve", "--threads", values.threads]);
  console.log(`ready after ${ours.startMs.toFixed(0)} ms, transformers ${theirs.startMs.toFixed(0)} ms`);
  for (const count of values.rows.split(",").map(Number)) {
    const prompts = topics.slice(0, count).map((topic) => `Write a long story about ${topic}.`);
    const asked = { prompts, maxNewTokens: Number(values.tokens) };
    const answers: Answer[][] = [[], []];
    // The first turn of each, which opens sessions and warms up, does not count.
    for (let round = 0; round <= Number(values.rounds); round++) {
      for (const [i, side] of [theirs, ours].entries()) {
        const answer = await side.ask(asked);
        if (round > 0) answers[i]?.push(answer);
      }
    }
    const [a, b] = answers.map((all) => all[0]?.tokens);
    const same = values.dtype !== "float32" || JSON.stringify(a) === JSON.stringify(b);
    if (!same) throw new Error(`Other tokens than transformers':\n${JSON.stringify(a)}\n${JSON.stringify(b)}`);
    const tokens = b?.flat().length ?? 0;
    const least = (i: number, of: "ms" | "cpuMs"): number => Math.min(...answers[i]?.map((one) => one[of]) ?? []);
    const peak = (i: number): string => (Math.max(...answers[i]?.map((one) => one.peakRss) ?? []) / 2 ** 20).toFixed(0);
    const line = (of: "ms" | "cpuMs"): string => {
      const [their, our] = [least(0, of), least(1, of)];
      const speed = (ms: number): string => (1000 * tokens / ms).toFixed(1);
      return `${speed(our)} tokens a second, transformers ${speed(their)}: ${(their / our).toFixed(2)}`;
    };
    console.log(`${count} rows, ${tokens} tokens: by the clock ${line("ms")}; by processor time ${line("cpuMs")}`);
    console.log(`  peak ${peak(1)} MiB, transformers ${peak(0)} MiB; load ${loadavg()[0]?.toFixed(1)}`);
  }
  theirs.stop();
  ours.stop();
}

await (values.serve ? serve() : compare());

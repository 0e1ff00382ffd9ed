/**
 * Time and memory of each adapter's training steps compared with PEFT's: the same rows, in turn, in separate processes.
 *
 *     node bench/adapters.ts --models decoder,encoder,minilm --adapters lora,dora [--rounds 2] [--steps 2]
 *     node bench/adapters.ts --models smollm2,smollm2-long --adapters lora [--dtype bfloat16] [--low]
 *     node bench/adapters.ts --models smollm2-chats --adapters lora-all [--dtype bfloat16]
 *     node bench/adapters.ts --models smollm2 --adapters lora --accelerators nf4 [--bitsandbytes nf4]
 *     node bench/adapters.ts --models smollm2 --adapters lora --accelerators '{"use":"int8","with":{"backward":"int8"}}'
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const { values: flags } = parseArgs({
  options: {
    models: { type: "string", default: "decoder,encoder,minilm" },
    adapters: {
      type: "string",
      default: "lora,dora,ia3,adalora,vera,ln-tuning,prompt-tuning,prefix-tuning,p-tuning,bitfit,full",
    },
    rounds: { type: "string", default: "2" },
    steps: { type: "string", default: "2" },
    low: { type: "boolean", default: false },
    dtype: { type: "string", default: "float32" },
    // Attune's accelerator, and bitsandbytes' type for PEFT.
    accelerators: { type: "string" },
    bitsandbytes: { type: "string" },
    smollm2: {
      type: "string",
      default: join(homedir(), ".cache", "attune-test-models", "SmolLM2-135M-Instruct"),
    },
    python: { type: "string", default: process.env["HF_PYTHON"] ?? "python3" },
    folder: { type: "string", default: join(tmpdir(), "attune-bench-models") },
    minilm: {
      type: "string",
      default: fileURLToPath(new URL("../../shared/models/all-MiniLM-L6-v2", import.meta.url)),
    },
  },
});
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
/** Number of rows in a batch, and their length in tokens. */
const shapes: Readonly<Record<string, readonly [rows: number, length: number]>> = {
  decoder: [2, 512],
  encoder: [8, 128],
  minilm: [16, 64],
  smollm2: [2, 512],
  "smollm2-long": [1, 2048],
  "smollm2-chats": [16, 54],
};

/** A step server's response. `work`: multiply-adds of each step; `machine`: those a second that the machine can do. */
type Answer = Readonly<
  { event: string; ms: number[]; losses: number[]; peakRss: number; work?: number[]; machine?: number }
>;

/** Starts a step server, and reads its responses line by line. */
function serve(command: readonly string[]) {
  const [program = "", ...args] = command;
  const env: NodeJS.ProcessEnv = { ...process.env, OMP_NUM_THREADS: "2" };
  delete env["OPENBLAS_CORETYPE"];
  delete env["OPENBLAS_L2_SIZE"];
  const child = spawn(program, args, { env, stdio: ["pipe", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (chunk) => (errors = (errors + chunk).slice(-4000)));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<Answer> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${command.join(" ")} ended: ${errors}`);
    return JSON.parse(value);
  };
  return {
    ready: next,
    steps: async (batches: readonly (readonly number[])[]) => {
      child.stdin.write(JSON.stringify({ cmd: "steps", batches }) + "\n");
      return await next();
    },
    stop: async () => {
      child.stdin.end(JSON.stringify({ cmd: "quit" }) + "\n");
      await new Promise((resolve) => child.on("close", resolve));
    },
  };
}

const median = (x: readonly number[]): number => [...x].sort((a, b) => a - b)[Math.floor(x.length / 2)] ?? NaN;
const mib = (bytes: number): string => String(Math.round(bytes / 2 ** 20));

/** Measures one line of the table. */
async function compared(model: string, path: string, adapter: string): Promise<string> {
  const [size = 1, length = 1] = shapes[model] ?? [];
  const own = ["--model", path, "--adapter", adapter, "--length", String(length)];
  if (model === "smollm2-chats") own.push("--chats");
  const flag = (name: string, value: string | undefined) => (value === undefined ? [] : [`--${name}`, value]);
  const ours = serve([
    process.execPath,
    here("model_steps.ts"),
    ...own,
    ...(flags.low ? ["--checkpointing"] : []),
    ...flag("accelerators", flags.accelerators),
  ]);
  const theirs = serve([
    flags.python,
    here("hf/model_steps.py"),
    ...own,
    "--dtype",
    flags.dtype,
    ...flag("bitsandbytes", flags.bitsandbytes),
  ]);
  const all: { ms: number[]; peak: number; losses: number[] }[] = [];
  await ours.ready();
  await theirs.ready();
  for (const server of [ours, theirs]) {
    const { losses } = await server.steps([Array.from({ length: size }, (_, i) => i)]);
    all.push({ ms: [], peak: 0, losses });
  }
  const ratios: number[] = [];
  const shares: number[] = [];
  for (let round = 0; round < Number(flags.rounds); round++) {
    const batches = Array.from(
      { length: Number(flags.steps) },
      (_, step) => Array.from({ length: size }, (_, i) => ((round * Number(flags.steps) + step + 1) * size + i) % 64),
    );
    const order = round % 2 === 0 ? [0, 1] : [1, 0];
    const times: number[] = [];
    for (const i of order) {
      const { ms, peakRss, work, machine = NaN } = await (i === 0 ? ours : theirs).steps(batches);
      shares.push(...(work ?? []).map((n, step) => 1e5 * n / (ms[step] ?? NaN) / machine));
      times[i] = median(ms);
      all[i]?.ms.push(...ms);
      (all[i] as { peak: number }).peak = peakRss;
    }
    ratios.push((times[1] ?? NaN) / (times[0] ?? NaN));
  }
  await ours.stop();
  await theirs.stop();
  const [a, b] = all as [typeof all[0], typeof all[0]];
  const cells = [
    model,
    adapter,
    Math.round(median(a.ms)),
    Math.round(median(b.ms)),
    Math.round(Math.min(...a.ms)),
    Math.round(Math.min(...b.ms)),
    median(ratios).toFixed(2),
    `${Math.round(median(shares))} %`,
    mib(a.peak),
    mib(b.peak),
    (a.peak / b.peak).toFixed(2),
    a.losses[0]?.toFixed(4),
    b.losses[0]?.toFixed(4),
  ];
  return `| ${cells.join(" | ")} |`;
}

console.log(
  "| model | adapter | ms here | ms PEFT | least here | least PEFT | speed | of peak | MiB here | MiB PEFT | memory | loss here | loss PEFT |",
);
console.log("|---|---|---|---|---|---|---|---|---|---|---|---|---|");
for (const model of flags.models.split(",")) {
  const path = model === "minilm"
    ? flags.minilm
    : model.startsWith("smollm2")
    ? flags.smollm2
    : join(flags.folder, model);
  if (!existsSync(join(path, "config.json"))) {
    const script = spawnSync(flags.python, [here("hf/make_model.py"), "--shape", model, "--out", path], {
      encoding: "utf8",
    });
    if (script.status !== 0) throw new Error(script.stderr);
  }
  for (const adapter of flags.adapters.split(",")) {
    const line = await compared(model, path, adapter).catch((error: Error) =>
      `| ${model} | ${adapter} | ${error.message.slice(-300)} |`
    );
    console.log(line);
  }
}

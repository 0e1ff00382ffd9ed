/**
 * Does training steps on rows of random token ids, with Attune: JSON lines in, JSON lines out (see README).
 *
 *     node bench/model_steps.ts --model DIR --adapter lora --length 512 [--checkpointing] [--chats]
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { compose } from "../core/spec/compose.ts";
import { measurePeak } from "../core/engine/peak.ts";
import { layOut } from "../core/loop/layout.ts";
import { encodeRows } from "../core/run/rows/data.ts";
import { allSamples } from "../core/run/rows/encoded_rows.ts";
import { openRun } from "../core/run/open/open.ts";
import { createRunEngine } from "../core/run/plan/engine.ts";
import type { Json, Named, Row, RunSpec } from "../core/types.ts";
import { catalog } from "../plugins/catalog.ts";
import { hostHere } from "../runtimes/host/train.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string", default: "" },
    adapter: { type: "string", default: "lora" },
    length: { type: "string", default: "512" },
    rows: { type: "string", default: "64" },
    threads: { type: "string", default: "2" },
    checkpointing: { type: "boolean", default: false },
    // Rows of half to one and a half times the length, of which the last two fifths are learned.
    chats: { type: "boolean", default: false },
    // One accelerator, as a spec has it: its name, or the object.
    accelerators: { type: "string" },
  },
});
const answer = (message: object): void => void process.stdout.write(JSON.stringify(message) + "\n");
const peak = (): number => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? 0);
const config: Named<Json> = JSON.parse(readFileSync(`${values.model}/config.json`, "utf8"));
const causal = config.model_type === "llama";
const [count, length] = [Number(values.rows), Number(values.length)];

/** The same numbers as model_steps.py draws: a linear congruence. */
function drawn(): Row[] {
  let state = 12345;
  const next = (): number => {
    state = Number((BigInt(state) * 1103515245n + 12345n) % 2147483648n);
    return Math.floor(state / 65536);
  };
  return Array.from({ length: count }, (_, row) => {
    const own = values.chats ? Math.floor(length / 2) + next() % (length + 1) : length;
    const input_ids = Array.from({ length: own }, () => 10 + next() % (Number(config.vocab_size) - 10));
    if (!causal) return { input_ids, labels: row % 2 };
    const asked = values.chats ? Math.floor(3 * own / 5) : 0;
    return { input_ids, labels: input_ids.map((id, i) => (i < asked ? -100 : id)) };
  });
}

const acceleratorIn = (text: string): Json => (text.startsWith("{") ? JSON.parse(text) : text);
const attention = causal ? ["q_proj", "v_proj"] : ["query", "value"];
const forward = causal ? ["down_proj"] : ["output.dense"];
const lora = { r: 8, loraAlpha: 16, loraDropout: 0, targetModules: attention };
const options: Named<Json> = {
  lora,
  "lora-all": { r: 16, loraAlpha: 32, loraDropout: 0, targetModules: "all-linear" },
  dora: lora,
  ia3: { targetModules: [...attention, ...forward], feedforwardModules: forward },
  adalora: { targetR: 8, initR: 12, totalStep: 1000, targetModules: attention },
  vera: { targetModules: attention },
  "prompt-tuning": { numVirtualTokens: 8 },
  "prefix-tuning": { numVirtualTokens: 8 },
  "p-tuning": { numVirtualTokens: 8 },
};
const rate: Named<Json> = causal ? {} : { hidden_dropout_prob: 0, attention_probs_dropout_prob: 0 };
const rows = { use: "memory", with: { rows: drawn() } } as unknown as Json;
const spec = {
  version: 1,
  name: "bench",
  model: { use: "pretrained", with: { path: values.model, config: rate } },
  task: causal ? "causal-lm" : { use: "sequence-classification", with: { labels: ["negative", "positive"] } },
  data: { train: rows },
  adapter: values.adapter === "full"
    ? []
    : [{ use: values.adapter.replace(/-all$/, ""), with: options[values.adapter] ?? {} }],
  ...(values.accelerators === undefined ? {} : { accelerators: [acceleratorIn(values.accelerators)] }),
  training: { maxLength: values.chats ? 2 * length : length, gradientCheckpointing: values.checkpointing },
} as unknown as RunSpec;
const run = compose(spec, catalog);
const open = await openRun(run, await hostHere(Number(values.threads)));
const dataset = run.data.train;
if (!dataset) throw new Error("no rows");
const train = await encodeRows(open, dataset, true);
const samples = await allSamples(train);
const engine = await createRunEngine(open, train, undefined);
const host = open.host;
answer({
  event: "ready",
  name: `attune ${values.adapter}${values.checkpointing ? " low memory" : ""}`,
  rows: count,
  lengths: samples.map((s) => s.sequences[0]?.length ?? 0),
  startMs: performance.now(),
  environment: { node: process.version },
});
let step = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const command: { cmd: string; batches?: number[][] } = JSON.parse(line);
  if (command.cmd === "quit") break;
  const ms: number[] = [];
  const losses: number[] = [];
  const work: number[] = [];
  for (const batch of command.batches ?? []) {
    const start = performance.now();
    const laid = layOut(batch.flatMap((row) => samples[row] ?? []), open.layout);
    const { loss, multiplyAdds } = await engine.step([laid], { step: ++step, learningRate: 1e-4, maxGradNorm: 1 });
    ms.push(performance.now() - start);
    losses.push(loss);
    work.push(multiplyAdds);
  }
  const peakRss = peak();
  // The machine's float32 peak in the same minute.
  const machine = await measurePeak(host);
  answer({ event: "steps", ms, losses, work, machine, rss: process.memoryUsage.rss(), peakRss });
}
await engine.close();
process.exit(0);

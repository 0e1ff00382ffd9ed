/**
 * Does training steps on the rows it is told, with Attune: JSON lines in, JSON lines out (see README).
 * @module
 */
import { readFileSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { compose } from "../core/spec/compose.ts";
import { layOut } from "../core/loop/layout.ts";
import { encodeRows } from "../core/run/rows/data.ts";
import { allSamples } from "../core/run/rows/encoded_rows.ts";
import { openRun } from "../core/run/open/open.ts";
import { createRunEngine } from "../core/run/plan/engine.ts";
import type { RunSpec } from "../core/types.ts";
import { catalog } from "../plugins/catalog.ts";
import { hostHere } from "../runtimes/host/train.ts";

const { values } = parseArgs({
  options: {
    mode: { type: "string", default: "lora" },
    model: { type: "string", default: "" },
    threads: { type: "string", default: "2" },
    /** The same padding as the opponent, in place of shared rows. */
    padded: { type: "boolean", default: false },
    /** One accelerator, as a spec has it: its name, or the object. */
    accelerators: { type: "string" },
  },
});
const answer = (message: object): void => void process.stdout.write(JSON.stringify(message) + "\n");
const peak = (): number => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? 0);

const acceleratorIn = (text: string): RunSpec["accelerators"] =>
  JSON.parse(`[${text.startsWith("{") ? text : JSON.stringify(text)}]`);
const lora = { use: "lora", with: { r: 8, loraAlpha: 16, loraDropout: 0.1, targetModules: ["query", "value"] } };
const spec: RunSpec = {
  version: 1,
  name: "bench",
  model: { use: "pretrained", with: { path: values.model } },
  task: { use: "sequence-classification", with: { labels: ["negative", "positive"] } },
  data: { train: { use: "reviews", with: { split: "train" } } },
  ...(values.mode === "lora" ? { adapter: lora } : {}),
  ...(values.accelerators === undefined ? {} : { accelerators: acceleratorIn(values.accelerators) }),
  training: { maxLength: 128, perDeviceTrainBatchSize: 16, rowSharing: !values.padded },
};
const learningRate = values.mode === "lora" ? 1e-3 : 5e-5;
const host = await hostHere(Number(values.threads));
const run = compose(spec, catalog);
const open = await openRun(run, host);
const train = await encodeRows(open, run.use("data", { use: "reviews", with: { split: "train" } }), true);
const samples = await allSamples(train);
const engine = await createRunEngine(open, train, undefined);
answer({
  event: "ready",
  name: `attune ${values.mode}${values.padded ? " padded" : ""}${values.accelerators ? ` ${values.accelerators}` : ""}`,
  rows: samples.length,
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
  for (const rows of command.batches ?? []) {
    const start = performance.now();
    const batch = layOut(rows.flatMap((row) => samples[row] ?? []), open.layout);
    const { loss } = await engine.step([batch], { step: ++step, learningRate, maxGradNorm: 1 });
    ms.push(performance.now() - start);
    losses.push(loss);
  }
  answer({ event: "steps", ms, losses, rss: process.memoryUsage.rss(), peakRss: peak() });
}
await engine.close();
process.exit(0);

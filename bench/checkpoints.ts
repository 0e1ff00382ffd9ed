/**
 * Cost of a save: `node bench/checkpoints.ts [model directory]`. Prints one JSON line for LoRA and one for full tuning.
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { compose } from "../core/spec/compose.ts";
import { trainRun } from "../core/run/train/train.ts";
import type { Json, RunSpec } from "../core/types.ts";
import { catalog } from "../plugins/catalog.ts";
import { hostHere } from "../runtimes/host/train.ts";

const path = process.argv[2] ?? "../shared/models/all-MiniLM-L6-v2";
const STEPS = 40;
const EVERY = 10;
/** The default of `saveSteps`. */
const DEFAULT = 500;

for (const adapter of [[{ use: "lora", with: { r: 8, targetModules: ["query", "value"] } }], []] as Json[]) {
  const host = await hostHere();
  const run = compose(
    {
      version: 1,
      model: { use: "pretrained", with: { path } },
      task: { use: "sequence-classification", with: { labels: ["negative", "positive"] } },
      data: { train: { use: "reviews" } },
      adapter,
      loggers: ["jsonl"],
      training: { maxSteps: STEPS, perDeviceTrainBatchSize: 16, maxLength: 128, saveSteps: EVERY, saveTotalLimit: 2 },
    } as unknown as RunSpec,
    catalog,
  );
  const output = host.directory?.(mkdtempSync(join(tmpdir(), "attune-bench-")));
  const steps: number[] = [];
  const saves: number[] = [];
  let parameters = 0;
  let last = performance.now();
  for await (const event of trainRun(run, host, { output })) {
    const now = performance.now();
    if (event.type === "start") parameters = event.trainableParameters;
    if (event.type === "step" && event.step > 2) steps.push(now - last);
    if (event.type === "checkpoint") saves.push(now - last);
    last = now;
  }
  const median = (all: number[]): number => all.sort((a, b) => a - b)[all.length >> 1] ?? NaN;
  const [step, save] = [median(steps), median(saves)];
  process.stdout.write(
    `${
      JSON.stringify({
        trained: parameters,
        stepMs: Number(step.toFixed(1)),
        saveMs: Number(save.toFixed(1)),
        shareAtDefault: Number((save / (save + DEFAULT * step)).toFixed(5)),
        shareEachMinute: Number((save / 60_000).toFixed(5)),
      })
    }\n`,
  );
}

/**
 * Losses of some LoRA steps on a chat model beside PEFT's, on rows and an adapter that peft_losses.py makes: text, chats
 * with the loss on the answers, completions, each packed and not. Ends with 1 if one differs by more than 1e-5; PEFT
 * then takes the steps of that kind in float64, too, and both sides are told apart from that: where the loss is steep,
 * rounding of the weights in earlier steps shows on both.
 *
 *     node test/interchange/peft_losses.ts --model DIR [--python python3] [--rows 2] [--length 128] [--steps 20]
 *       [--kind "completion packed"]
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compose } from "../../core/spec/compose.ts";
import { trainRun } from "../../core/run/train/train.ts";
import type { Host, Json, Named, RunSpec } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { hostHere } from "../../runtimes/host/train.ts";

/** What peft_losses.py writes. `losses`: by what they are of ("assistant packed"). */
export type PeftLosses = Readonly<{
  versions: Named<string>;
  rows: number;
  length: number;
  steps: number;
  rate: number;
  losses: Named<readonly number[]>;
}>;

/** The losses of the same steps here. `folder`: what peft_losses.py wrote; `kind`: "all", "assistant", "completion", or such and " packed". */
export async function lossesHere(
  model: string,
  folder: string,
  kind: string,
  { rows, length, steps, rate }: Omit<PeftLosses, "losses">,
  host: Host,
  accelerators: readonly Json[] = [],
): Promise<number[]> {
  const [lossOn = "all", packing] = kind.split(" ");
  const spec = {
    version: 1,
    name: "losses",
    model: { use: "pretrained", with: { path: model } },
    task: { use: "causal-lm", with: { lossOn, packing: packing !== undefined } },
    data: { train: { use: "jsonl", with: { path: join(folder, `${lossOn}.jsonl`) } } },
    adapter: { use: "lora", with: { from: join(folder, "adapter") } },
    optimizer: { use: "adamw", with: { weightDecay: 0.01 } },
    schedule: "constant",
    accelerators,
    loggers: [],
    training: {
      learningRate: rate,
      maxSteps: steps,
      perDeviceTrainBatchSize: rows,
      maxLength: length,
      maxGradNorm: 1,
      trainSamplingStrategy: "sequential",
      saveStrategy: "no",
    },
  };
  const losses: number[] = [];
  for await (const event of trainRun(compose(spec as unknown as RunSpec, catalog), host, {})) {
    if (event.type === "step") losses.push(event.loss);
  }
  return losses;
}

/** The step whose losses are most apart, counted from 1, and by how much. */
function mostApart(a: readonly number[], b: readonly number[]): { step: number; apart: number } {
  const apart = a.map((x, i) => Math.abs(x - (b[i] ?? NaN)));
  const most = Math.max(...apart);
  return { step: apart.findIndex((x) => Object.is(x, most)) + 1, apart: most };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: {
      model: { type: "string", default: "" },
      python: { type: "string", default: process.env["HF_PYTHON"] ?? "python3" },
      rows: { type: "string", default: "2" },
      length: { type: "string", default: "128" },
      steps: { type: "string", default: "20" },
      kind: { type: "string" },
    },
  });
  const { model, python, rows, length, steps, kind: only } = values;
  const folder = mkdtempSync(join(tmpdir(), "attune-peft-losses-"));
  try {
    const script = fileURLToPath(new URL("peft_losses.py", import.meta.url));
    const settings = ["--model", model, "--rows", rows, "--length", length, "--steps", steps];
    const peft = (out: string, ...more: string[]): PeftLosses => {
      execFileSync(python, [script, ...settings, "--out", out, ...more], { stdio: ["ignore", "ignore", "inherit"] });
      return JSON.parse(readFileSync(join(out, "losses.json"), "utf8"));
    };
    const theirs = peft(folder, ...(only === undefined ? [] : ["--kind", only]));
    const host = await hostHere(2);
    console.log(`${JSON.stringify(theirs.versions)}, ${rows} rows of at most ${length} tokens, ${steps} steps`);
    for (const [kind, wanted] of Object.entries(theirs.losses)) {
      const found = await lossesHere(model, folder, kind, theirs, host);
      const { step, apart } = mostApart(wanted, found);
      console.log(
        `${kind}: ${found[0]?.toFixed(6)} to ${found.at(-1)?.toFixed(6)}, at most ${apart.toExponential(1)} apart`,
      );
      if (apart <= 1e-5) continue;
      process.exitCode = 1;
      const exact = peft(join(folder, "double"), "--kind", kind, "--double").losses[kind] ?? [];
      const off = (losses: readonly number[]) =>
        ((losses[step - 1] ?? NaN) - (exact[step - 1] ?? NaN)).toExponential(1);
      console.log(`  step ${step}, apart from float64: ${off(found)} here, ${off(wanted)} PEFT in float32`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

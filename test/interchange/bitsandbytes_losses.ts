/**
 * Losses of some LoRA steps over a quantized chat model beside Hugging Face's with bitsandbytes, on the CPU and in float32: nf4,
 * nf4 with double quantization, fp4. Rows, adapter and losses are made by bitsandbytes_losses.py. Ends with 1 if one differs
 * by more than 1e-5.
 *
 *     node test/interchange/bitsandbytes_losses.ts --model DIR [--python python3] [--rows 2] [--length 64] [--steps 20]
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Json } from "../../core/types.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { lossesHere, type PeftLosses } from "./peft_losses.ts";

/** What bitsandbytes_losses.py writes. `quantized`: of so many layers. */
type BitsandbytesLosses =
  & Omit<PeftLosses, "losses">
  & Readonly<{
    kinds: readonly Readonly<{ name: string; accelerator: Json; quantized: number; losses: readonly number[] }>[];
  }>;

const { values: { model, python, ...options } } = parseArgs({
  options: {
    model: { type: "string", default: "" },
    python: { type: "string", default: process.env["HF_PYTHON"] ?? "python3" },
    rows: { type: "string", default: "2" },
    length: { type: "string", default: "64" },
    steps: { type: "string", default: "20" },
  },
});
const folder = mkdtempSync(join(tmpdir(), "attune-bitsandbytes-losses-"));
try {
  const script = fileURLToPath(new URL("bitsandbytes_losses.py", import.meta.url));
  const settings = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const args = [script, "--model", model, "--out", folder, ...settings];
  execFileSync(python, args, { stdio: ["ignore", "ignore", "inherit"] });
  const theirs: BitsandbytesLosses = JSON.parse(readFileSync(join(folder, "losses.json"), "utf8"));
  const host = await hostHere(2);
  console.log(`${JSON.stringify(theirs.versions)}, ${options.rows} rows of at most ${options.length} tokens`);
  for (const { name, accelerator, quantized, losses } of theirs.kinds) {
    const steps = losses.length;
    const found = await lossesHere(model, folder, "all", { ...theirs, steps }, host, [accelerator]);
    const apart = Math.max(...losses.map((x, i) => Math.abs(x - (found[i] ?? NaN))));
    console.log(
      `${name} (${quantized} layers), ${steps} steps: ${found[0]?.toFixed(6)} to ${found.at(-1)?.toFixed(6)}, ` +
        `at most ${apart.toExponential(1)} apart`,
    );
    if (!(apart <= 1e-5)) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

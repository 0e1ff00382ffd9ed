/**
 * Writes docs/models.md from runs of every task on a tiny model of every family, and of its own task on every runtime:
 * `node test/interchange/models.ts`.
 */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import * as ortWeb from "onnxruntime-web";
import type { Host, Named, Ort } from "../../core/types.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { web } from "../../runtimes/host/web.ts";
import { families, lossesOn } from "../conformance/families.ts";
import { tasks, trains } from "../conformance/model_tasks.ts";
import decoders from "../fixtures/decoders.json" with { type: "json" };
import heads from "../fixtures/heads.json" with { type: "json" };
import masked from "../fixtures/masked_models.json" with { type: "json" };
import seq2seq from "../fixtures/seq2seq.json" with { type: "json" };

const here = fileURLToPath(import.meta.url);
const root = fileURLToPath(new URL("../..", import.meta.url));

async function allLosses(host: Host): Promise<Named<readonly number[]>> {
  const shapes: Record<string, readonly number[]> = {};
  for (const [name, family] of Object.entries(families)) shapes[name] = await lossesOn(family, host);
  return shapes;
}

if (process.argv.includes("--losses")) {
  console.log(JSON.stringify(await allLosses(await hostHere(1))));
} else {
  const other = (command: string, ...args: readonly string[]): Named<readonly number[]> =>
    JSON.parse(execFileSync(`${root}node_modules/.bin/${command}`, [...args, here, "--losses"], { encoding: "utf8" }));
  const host = await hostHere(1);
  ortWeb.env.wasm.numThreads = 1;
  const wanted = await allLosses(host);
  const runtimes: Named<Named<readonly number[]>> = {
    Node: wanted,
    Bun: other("bun"),
    Deno: other("deno", "run", "-A", "--no-check"),
    "onnxruntime-web": await allLosses(web({ lib: ortWeb as unknown as Ort })),
  };
  const cases = [decoders, heads, masked, seq2seq].flatMap((f) =>
    f.cases.map(({ config }) => String("model_type" in config && config.model_type))
  );
  const apart = (name: string, runtime: string): string => {
    const found = runtimes[runtime]?.[name] ?? [];
    const most = Math.max(...(wanted[name] ?? []).map((x, i) => Math.abs(x - (found[i] ?? NaN))));
    return most === 0 ? "same" : most.toExponential(0);
  };
  const lines: string[] = [];
  for (const [name, family] of Object.entries(families)) {
    const cells: string[] = [];
    for (const task of Object.keys(tasks)) cells.push(await trains(family, task, host) ? "yes" : "–");
    const figures = cases.filter((type) => type === family.config.model_type).length;
    lines.push(
      `| ${[name, figures, ...cells, ...Object.keys(runtimes).slice(1).map((r) => apart(name, r))].join(" | ")} |`,
    );
  }
  const names = Object.keys(tasks);
  const text = [
    "# Models",
    "",
    "Every family is read under Hugging Face's names, and passes one battery of checks (`conformance/architecture.ts`): gradients",
    "match the slope of the loss; padding and sharing a row change nothing; decoders do not see later tokens; a saved model loads",
    "again; `all-linear` finds every matrix. *torch* counts the configurations whose losses, logits and gradients the tests compare",
    "with torch's, besides those of `npm run parity`. A task says *yes* if it trained; – is an error that says so. The last columns",
    "say how far the losses of two steps are from those on Node, with onnxruntime-node, or with onnxruntime-web's WebAssembly.",
    "",
    "More on adapters: [adapters_by_family.md](adapters_by_family.md); on GGUF files: [gguf.md](gguf.md); on checkpoints that are",
    "already quantized: [quantized.md](quantized.md); on quantizing for a run: [fit_a_larger_model.md](fit_a_larger_model.md); on 16",
    "bits: [half_precision.md](half_precision.md). This page is written by `test/interchange/models.ts` from runs on a tiny model of",
    "each family.",
    "",
    `| | torch | ${names.map((t) => `\`${t}\``).join(" | ")} | ${Object.keys(runtimes).slice(1).join(" | ")} |`,
    `|---|---|${names.map(() => "---|").join("")}---|---|---|`,
    ...lines,
    "",
  ].join("\n");
  writeFileSync(fileURLToPath(new URL("../../docs/models.md", import.meta.url)), text);
}

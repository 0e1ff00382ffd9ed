/** `attune plan`: estimates the memory, computation and time of a run. */
import process from "node:process";
import { fitText, proposeFit } from "../../core/run/plan/fit.ts";
import { memoryLimit } from "../../core/run/open/memory.ts";
import { planRun } from "../../core/run/plan/plan.ts";
import type { Host, Json, Named, Plan, Run } from "../../core/types.ts";
import { type Budget, budgetLines, totalsOf } from "../study/budget.ts";
import { composed } from "../host/plugin_packages.ts";
import { hostHere } from "../host/train.ts";
import type { Division } from "../study/fold_specs.ts";
import { searchBudget } from "../study/search_here.ts";
import { composedWithFolds, foldsBudget } from "./crossvalidate.ts";
import { exitCodes } from "./exit.ts";
import { readSpec, specPath } from "../host/spec_file.ts";

/** Returns the displayed name of a part of the memory. */
function inWords(name: string): string {
  return name === "trainedWeights" ? "trainable" : name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** Formats frozen weights: `14 weights, nf4, block 64, double: 76,168 B; float32 590 kB`. */
function frozenText(frozen: Plan["frozen"]): string {
  const size = (bytes: number): string =>
    bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  return frozen.map(({ storage, weights, bytes, encoded }) =>
    encoded
      ? `${weights} ${weights === 1 ? "weight" : "weights"}, ${storage}: ${bytes.toLocaleString("en")} B`
      : `${storage} ${size(bytes)}`
  ).join("; ");
}

/** Formats products: `12 weights, int8 of weights that train, products in int8`. */
function productsText(products: NonNullable<Plan["products"]>): string {
  return products.map(({ format, weights }) => `${weights} ${weights === 1 ? "weight" : "weights"}, ${format}`)
    .join("; ");
}

/** Prints the plan of a spec; returns exit code 3 if it cannot fit. */
export async function planCommand(
  path: string,
  options: Readonly<{ set?: readonly string[]; memory?: number; json?: boolean; folds?: number; repeats?: number }>,
): Promise<number> {
  const host = await hostHere();
  const memory = options.memory === undefined ? [] : [`training.memory=${options.memory}`];
  const spec = await readSpec(await specPath(path), [...options.set ?? [], ...memory]);
  const { folds, repeats } = options;
  const division = folds === undefined && repeats === undefined
    ? undefined
    : { folds: folds ?? 5, repeats: repeats ?? 1, stratify: null, group: null, seed: 42 };
  const run = division ? await composedWithFolds(spec) : await composed(spec);
  const whole = await wholeBudget(spec, run, host, division);
  // Of several runs (trials, folds), the details shown are those of one.
  const plan = whole?.budget.plan ?? await planRun(run, host);
  const proposal = plan.fits ? undefined : await proposeFit(run, host);
  if (options.json) {
    const all = whole && { [whole.name]: totalsOf(whole.budget) };
    process.stdout.write(JSON.stringify({ ...plan, ...proposal && { proposal }, ...all }, null, 2) + "\n");
  } else {
    const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`.padStart(12);
    const gflop = (n: number): string => `${(n / 1e9).toFixed(1)} GFLOP`.padStart(18);
    const seconds = (n: number): string => `${n.toFixed(n < 10 ? 1 : 0)} s`.padStart(10);
    const rows = Object.entries(plan.bytes).map(([name, bytes]) => {
      const line = `  ${inWords(name).padEnd(22)}${mb(bytes)}`;
      const how = name === "frozenWeights" && plan.frozen.some((part) => part.encoded)
        ? frozenText(plan.frozen)
        : name === "trainedWeights"
        ? productsText(plan.products ?? [])
        : "";
      return how === "" ? line : `${line}   ${how}`;
    });
    process.stdout.write([
      `parameters   ${plan.totalParameters.toLocaleString("en")} (${
        plan.trainableParameters.toLocaleString("en")
      } trainable)`,
      `tokens       ${plan.tokens.toLocaleString("en")} in ${plan.steps.toLocaleString("en")} steps`,
      "memory",
      ...rows,
      `work         ${gflop(plan.flops)}${seconds(plan.seconds)} here`,
      ...Object.entries(plan.work).map(([name, part]) =>
        `  ${name.padEnd(11)}${gflop(part.flops)}${seconds(part.seconds)}`
      ),
      plan.fits
        ? "fits         yes"
        : `fits         no: the run may take ${mb(memoryLimit(run.training, host)).trim()}`,
      ...proposal ? [fitText(proposal)] : [],
      ...whole ? [whole.name, ...budgetLines(whole.budget).map((line) => `  ${line}`)] : [],
      "",
    ].join("\n"));
  }
  return plan.fits ? exitCodes.done : exitCodes.refused;
}

/** Returns the total budget of a search or of folds; undefined if the spec is one run. */
async function wholeBudget(
  spec: Named<Json>,
  run: Run,
  host: Host,
  division: Division | undefined,
): Promise<Readonly<{ name: "search" | "crossvalidate"; budget: Budget }> | undefined> {
  if (division) return { name: "crossvalidate", budget: await foldsBudget(spec, run, division, host) };
  if (!run.search) return undefined;
  return { name: "search", budget: await searchBudget(spec, run, run.search) };
}

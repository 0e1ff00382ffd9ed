/**
 * `attune crossvalidate`: trains a spec once for each fold of its training rows, and measures it on that fold.
 * @module
 */
import { join, resolve } from "node:path";
import process from "node:process";
import { missing } from "../../core/errors.ts";
import { openTasks } from "../../core/run/open.ts";
import { planRun } from "../../core/run/plan.ts";
import { setAt, valueAt } from "../../core/spec/spec_paths.ts";
import type { Host, Json, Named, Run } from "../../core/types.ts";
import { composed } from "../host/plugin_packages.ts";
import { readSpec, specPath } from "../host/spec_file.ts";
import { hostHere } from "../host/train.ts";
import { type Budget, budgetLines, countTrials, totalsOf } from "../study/budget.ts";
import { dividedSource, type Division, foldsOf, foldSpec } from "../study/fold_specs.ts";
import { type FoldMetrics, runFolds } from "../study/run_folds.ts";
import { exitCodes } from "./exit.ts";
import { inFolder, runsFor } from "./study_output.ts";

/** Options of `attune crossvalidate`. */
export type CrossvalidateOptions = Readonly<{
  folds: number;
  repeats: number;
  stratify?: string;
  group?: string;
  seed: number;
  output?: string;
  set?: readonly string[];
  resume?: boolean;
  server?: string;
  parallel: number;
  dryRun?: boolean;
  json?: boolean;
}>;

/** Cross-validates a spec. */
export async function crossvalidateCommand(path: string, options: CrossvalidateOptions): Promise<number> {
  return await crossvalidateSpec(await readSpec(specPath(path), options.set), options);
}

/** Cross-validates a spec, and gives the exit code. */
export async function crossvalidateSpec(
  given: Named<Json>,
  options: Omit<CrossvalidateOptions, "set">,
): Promise<number> {
  const host = await hostHere();
  const { folds, repeats, stratify = null, group = null, seed, parallel, json } = options;
  const division: Division = { folds, repeats, stratify, group, seed };
  const whole = await composed(given);
  dividedSource(given, whole);
  const { spec, run } = await withNamedLabels(given, whole, host);
  const budget = await foldsBudget(spec, run, division, options.server === undefined ? host : undefined);
  if (json) {
    process.stdout.write(JSON.stringify({ type: "budget", ...totalsOf(budget), plan: budget.plan ?? null }) + "\n");
  } else process.stdout.write(budgetLines(budget).join("\n") + "\n");
  if (budget.plan?.fits === false) return exitCodes.refused;
  if (options.dryRun) return exitCodes.done;
  const output = resolve(options.output ?? join("runs", run.name));
  return await inFolder("crossvalidate", output, options.resume, async (signal) => {
    const folder = join(output, "folds");
    const store = host.directory?.(folder);
    if (!store) throw missing("crossvalidate", "access to files", host.runtime);
    const runs = runsFor(options.server, folder, parallel, host, store);
    try {
      const metrics = await runFolds({
        ...{ spec, run, division, store, runs, parallel, host, signal },
        tell: (fold) => {
          if (json) return void process.stdout.write(JSON.stringify({ type: "fold", ...fold }) + "\n");
          const figures = Object.entries(fold.metrics).map(([name, value]) => `${name} ${value.toPrecision(4)}`);
          process.stdout.write(`fold ${fold.number}  ${figures.join(", ")}  of ${fold.testRows} rows\n`);
        },
      });
      if (!metrics) return exitCodes.interrupted;
      say(metrics, folder, json);
      return exitCodes.done;
    } finally {
      await runs.close();
    }
  });
}

/** What the folds take, each with its search where the spec has one. `host`: absent where they do not run here. */
export async function foldsBudget(
  spec: Named<Json>,
  run: Run,
  division: Division,
  host: Host | undefined,
): Promise<Budget> {
  const [first] = foldsOf(division);
  const { folds, repeats } = division;
  const plan = host && first && await planRun(await composed(foldSpec(spec, run, division, first)), host);
  const trials = run.search ? countTrials(run.search) : 0;
  const all = folds * repeats;
  const times = repeats > 1 ? `${repeats} times ${folds} folds` : `${folds} folds`;
  return {
    runs: trials === undefined ? undefined : all * (trials + 1),
    what: run.search ? `${times}, in each of them ${trials ?? "the"} trials and the best once more` : times,
    plan,
  };
}

/** A spec with the classes that its rows have, so that a fold without one of them knows of it. */
async function withNamedLabels(spec: Named<Json>, run: Run, host: Host): Promise<{ spec: Named<Json>; run: Run }> {
  if (valueAt(spec, "task.with.labels") !== undefined) return { spec, run };
  const [open] = await openTasks(run, host);
  const { labels } = (open?.run.task.options ?? {}) as { labels?: readonly string[] };
  if (!labels) return { spec, run };
  const named = setAt(spec, "task.with.labels", [...labels]);
  return { spec: named, run: await composed(named) };
}

function say(metrics: FoldMetrics, folder: string, json: boolean | undefined): void {
  if (json) return void process.stdout.write(JSON.stringify({ type: "end", metrics }) + "\n");
  process.stdout.write("\n");
  for (const [name, { mean, interval, folds }] of Object.entries(metrics)) {
    const [low, high] = interval ?? [];
    const reach = low === undefined || high === undefined ? "" : ` [${low.toPrecision(4)}, ${high.toPrecision(4)}]`;
    process.stdout.write(`${name.padEnd(12)}${mean.toPrecision(4)}${reach}  over ${folds.length} folds\n`);
  }
  process.stdout.write(`results     ${folder}\n`);
}

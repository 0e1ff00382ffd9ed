/** `attune crossvalidate`: trains a spec once for each fold of its training rows, and measures it on that fold. */
import { join, resolve } from "node:path";
import process from "node:process";
import { isPlugin } from "../../core/spec/define.ts";
import { missing } from "../../core/base/errors.ts";
import { directionOf } from "../../core/run/evaluate/judged.ts";
import { openTasks } from "../../core/run/open/open.ts";
import { planRun } from "../../core/run/plan/plan.ts";
import { setAt, valueAt } from "../../core/spec/spec_paths.ts";
import type { Host, Json, Named, Run, Task } from "../../core/types.ts";
import { composed } from "../host/plugin_packages.ts";
import { readSpec, specPath } from "../host/spec_file.ts";
import { hostHere } from "../host/train.ts";
import { type Budget, budgetLines, countTrials, totalsOf } from "../study/budget.ts";
import { flatFoldMetrics, type FoldMetrics } from "../study/fold_figures.ts";
import {
  dividedRows,
  type Division,
  divisionsOf,
  foldsOf,
  foldSpec,
  type FoldSpecs,
  specWithEvaluation,
} from "../study/fold_specs.ts";
import { runFolds, specWithEvaluationIfNeeded } from "../study/run_folds.ts";
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
  return await crossvalidateSpec(await readSpec(await specPath(path), options.set), options);
}

/** Cross-validates a spec, and returns the exit code. */
export async function crossvalidateSpec(
  stated: Named<Json>,
  options: Omit<CrossvalidateOptions, "set">,
): Promise<number> {
  const host = await hostHere();
  const { folds, repeats, stratify = null, group = null, seed, parallel, json } = options;
  const division: Division = { folds, repeats, stratify, group, seed };
  const whole = await composedWithFolds(stated);
  // A model that only the server has is opened there, and gives its classes there.
  const isHere = options.server === undefined || (whole.model.options as Named<Json>).path === "attune:base";
  const { spec, run } = isHere ? await withNamedLabels(stated, whole, host) : { spec: stated, run: whole };
  const specs = await foldSpecs(spec, run, division, host);
  await checkSearch(specs, division);
  tellUndivided(specs, division);
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
        warn: (text) => void process.stderr.write(`${text}\n`),
        report: (fold) => {
          if (json) return void process.stdout.write(JSON.stringify({ type: "fold", ...fold }) + "\n");
          const figures = Object.entries(fold.metrics).map(([name, value]) =>
            `${name} ${value?.toPrecision(4) ?? "–"}`
          );
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

/** Returns the budget of the folds, and of their searches if the spec has one. `host`: absent if they run elsewhere. */
export async function foldsBudget(
  spec: Named<Json>,
  run: Run,
  division: Division,
  host: Host | undefined,
): Promise<Budget> {
  const [first] = foldsOf(division);
  const { folds, repeats } = division;
  const specs = await foldSpecs(spec, run, division, host ?? await hostHere());
  const plan = host && first &&
    await planRun(await composed(await specWithEvaluationIfNeeded(foldSpec(specs, first), specs)), host);
  const trials = run.search ? countTrials(run.search) : 0;
  const all = folds * repeats;
  const times = repeats > 1 ? `${repeats} times ${folds} folds` : `${folds} folds`;
  return {
    runs: trials === undefined ? undefined : all * (trials + 1),
    what: run.search ? `${times}, each with ${trials ?? "the"} trials and the best once more` : times,
    plan,
  };
}

/**
 * Composes a spec. If it has a search but no evaluation rows, training rows take their place here: the folds will have
 * rows to judge trials by.
 */
export async function composedWithFolds(spec: Named<Json>): Promise<Run> {
  try {
    return await composed(spec);
  } catch (error) {
    const train = valueAt(spec, "data.train");
    if (spec.search === undefined || train === undefined || valueAt(spec, "data.eval") !== undefined) throw error;
    const { transforms: _, ...source } = Object(train) as Named<Json>;
    try {
      return await composed(setAt(spec, "data.eval", typeof train === "string" ? train : source));
    } catch {
      throw error;
    }
  }
}

/** Returns how a spec's rows are divided into folds, task by task. */
async function foldSpecs(spec: Named<Json>, run: Run, division: Division, host: Host): Promise<FoldSpecs> {
  const divided = dividedRows(spec, run);
  return { spec, name: run.name, divided, divisions: await divisionsOf(divided, run, division, host) };
}

/** Throws AttuneError if a search within folds has no figure to judge its trials by. */
async function checkSearch(specs: FoldSpecs, division: Division): Promise<void> {
  const [first] = foldsOf(division);
  if (specs.spec.search === undefined || !first) return;
  directionOf(await composed({ ...specWithEvaluation(foldSpec(specs, first), specs), search: specs.spec.search }));
}

/** Adds the classes of the spec's rows to it, so that a fold that lacks a class still knows of it. */
async function withNamedLabels(spec: Named<Json>, run: Run, host: Host): Promise<{ spec: Named<Json>; run: Run }> {
  if (!run.task.subtasks.some(({ labelsIn }) => labelsIn)) return { spec, run };
  const [open] = await openTasks(run, host);
  const named = open ? labelled(spec, "task", open.run.task) : spec;
  return named === spec ? { spec, run } : { spec: named, run: await composedWithFolds(named) };
}

/** Adds to a spec the classes that were read for the task at `path`, and for the tasks within that. */
function labelled(spec: Named<Json>, path: string, { options }: Task): Named<Json> {
  const isSet = (key: string): boolean => valueAt(spec, `${path}.with.${key}`) !== undefined;
  const isSaid = isSet("labels") || isSet("numLabels");
  const within = (spec: Named<Json>, at: string, value: unknown): Named<Json> => {
    if (isPlugin("task")(value)) return labelled(spec, at, value);
    if (typeof value !== "object" || value === null || Array.isArray(value) || "kind" in value) return spec;
    return Object.entries(value).reduce((changed, [key, part]) => within(changed, `${at}.${key}`, part), spec);
  };
  return Object.entries(options as object).reduce((spec, [key, value]) => {
    const isRead = key === "labels" ? Array.isArray(value) : key === "numLabels" && typeof value === "number";
    if (isRead) return isSaid ? spec : setAt(spec, `${path}.with.${key}`, value as Json);
    return within(spec, `${path}.with.${key}`, value);
  }, spec);
}

/** Reports which tasks are divided without a column because their rows lack it. */
function tellUndivided({ divided, divisions }: FoldSpecs, division: Division): void {
  for (const option of ["stratify", "group"] as const) {
    const without = divided.filter(({ task }) => divisions[task]?.[option] !== division[option]);
    if (without.length === 0) continue;
    const names = without.map(({ task }) => task).join(", ");
    process.stderr.write(`The rows of ${names} have no column "${division[option]}", so they are divided without it\n`);
  }
}

function say(metrics: FoldMetrics, folder: string, json: boolean | undefined): void {
  if (json) return void process.stdout.write(JSON.stringify({ type: "end", metrics }) + "\n");
  process.stdout.write("\n");
  const width = Math.max(10, ...Object.keys(flatFoldMetrics(metrics)).map(({ length }) => length)) + 2;
  for (const [name, { mean, interval, folds }] of Object.entries(flatFoldMetrics(metrics))) {
    const [low, high] = interval ?? [];
    const reach = low === undefined || high === undefined ? "" : ` [${low.toPrecision(4)}, ${high.toPrecision(4)}]`;
    const known = folds.filter((value) => value !== null).length;
    const over = known < folds.length ? `${known} of ${folds.length} folds: no number in the others` : `${known} folds`;
    process.stdout.write(`${name.padEnd(width)}${mean?.toPrecision(4) ?? "–"}${reach}  over ${over}\n`);
  }
  process.stdout.write(`${"results".padEnd(width)}${folder}\n`);
}

/** `attune search`: tries values of a spec's options, and trains once more with the best. */
import { join, resolve } from "node:path";
import process from "node:process";
import { badSpec, missing } from "../../core/base/errors.ts";
import { directionOf } from "../../core/run/evaluate/judged.ts";
import type { Json, Named, Search } from "../../core/types.ts";
import { composed } from "../host/plugin_packages.ts";
import { readSpec, specPath } from "../host/spec_file.ts";
import { hostHere } from "../host/train.ts";
import { searchBudget, searchHere } from "../study/search_here.ts";
import { bytesIn } from "../study/study_files.ts";
import { exitCodes } from "./exit.ts";
import { jsonOutput, textOutput } from "./search_output.ts";
import { inFolder, runsFor } from "./study_output.ts";

/** Options of `attune search`. */
export type SearchCommandOptions = Readonly<{
  trials?: number;
  timeout?: number;
  output?: string;
  set?: readonly string[];
  resume?: boolean;
  server?: string;
  parallel?: number;
  kills?: number;
  dryRun?: boolean;
  json?: boolean;
}>;

/** Runs the search of the spec in a file. */
export async function searchCommand(path: string, options: SearchCommandOptions): Promise<number> {
  const { trials, parallel } = options;
  const more = Object.entries({ trials, parallel }).flatMap(([key, value]) =>
    value === undefined ? [] : [`search.with.${key}=${value}`]
  );
  const spec = await readSpec(await specPath(path), options.set);
  // Without a search in the spec, these options alone would look like one.
  if ((spec.search ?? null) === null) throw badSpec([missing("spec", "what is searched, and how", "search")]);
  return await searchSpec(await readSpec(await specPath(path), [...options.set ?? [], ...more]), options);
}

/** Searches as the spec says, and returns the exit code. */
export async function searchSpec(
  spec: Named<Json>,
  options: Omit<SearchCommandOptions, "trials" | "parallel" | "set">,
): Promise<number> {
  const run = await composed(spec);
  const search = run.search as Search;
  const direction = directionOf(run);
  const budget = await searchBudget(spec, run, search, options.server === undefined);
  const say = options.json ? jsonOutput() : textOutput();
  say.budget(budget);
  const { pruner } = search.settings;
  if (pruner.name !== "none" && run.training.evalStrategy === "no") {
    process.stderr.write(
      `The pruner "${pruner.name}" ends no trial: training.evalStrategy is "no", so no trial reports\n`,
    );
  }
  if (budget.plan?.fits === false) return exitCodes.refused;
  if (options.dryRun) return exitCodes.done;
  const output = resolve(options.output ?? join("runs", run.name));
  return await inFolder("search", output, options.resume, async (signal) => {
    const folder = join(output, "search");
    const host = await hostHere();
    const store = host.directory?.(folder);
    if (!store) throw missing("search", "access to files", host.runtime);
    const runs = runsFor(options.server, folder, search.settings.parallel, host, store);
    const { metric } = search.settings;
    try {
      const { trials, best, end, baseline, compared } = await searchHere({
        ...{
          run,
          search,
          direction,
          spec,
          store,
          runs,
          signal,
          best: "best",
          timeout: options.timeout,
          kills: options.kills,
        },
        folder: options.server === undefined ? folder : undefined,
        report: (trial, best) => say.trial(trial, best, metric),
      });
      if (signal.aborted) return exitCodes.interrupted;
      if (!best || !end) {
        const why = trials.find(({ message }) => message !== undefined)?.message ?? "no trial was made";
        process.stderr.write(`None of the ${trials.length} trials produced a figure: ${why}\n`);
        return exitCodes.failed;
      }
      say.winner({
        best,
        split: end.split ?? "eval",
        metrics: end.metrics,
        baseline,
        compared,
        metric,
        folder,
        bytes: await bytesIn(store),
      });
      return exitCodes.done;
    } finally {
      await runs.close();
    }
  });
}

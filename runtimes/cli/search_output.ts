/** Output of `attune search`: text for people, or one JSON object a line for programs. */
import { join } from "node:path";
import process from "node:process";
import type { Json, Named } from "../../core/types.ts";
import { type Budget, budgetLines, totalsOf } from "../study/budget.ts";
import { comparedFigures, type FigureWithin, type RunsCompared } from "../study/compared_figures.ts";
import type { RunEnd } from "../study/runs.ts";
import type { TrialLine } from "../study/study_files.ts";

/** The result of a search. `split`: the rows that its figures describe; `baseline`: the result of the unchanged spec. */
export type Winner = Readonly<{
  best: TrialLine;
  split: string;
  metrics: Named<number>;
  baseline?: RunEnd | undefined;
  compared?: RunsCompared | undefined;
  metric: string;
  folder: string;
  /** Bytes that the search takes on the disk. */
  bytes: number;
}>;

/** Reports the progress of a search. */
export interface SearchOutput {
  budget(budget: Budget): void;
  trial(trial: TrialLine, best: TrialLine | undefined, metric: string): void;
  winner(winner: Winner): void;
}

/** Returns the output for programs. */
export function jsonOutput(): SearchOutput {
  const say = (event: object): void => void process.stdout.write(`${JSON.stringify(event)}\n`);
  return {
    budget: (budget) => say({ type: "budget", ...totalsOf(budget), plan: budget.plan ?? null }),
    trial: (trial, best) => say({ type: "trial", ...trial, best: best?.number ?? null }),
    winner: ({ best: { number, params, value, run }, split, metrics, baseline, compared, folder, bytes }) =>
      say({
        ...{ type: "end", trial: number, params, value, run, split, metrics, best: join(folder, "best") },
        bytes,
        ...(baseline ? { default: baseline.metrics } : {}),
        ...(compared ? { compared } : {}),
      }),
  };
}

/** Returns the output for people. */
export function textOutput(): SearchOutput {
  const say = (text: string): void => void process.stdout.write(`${text}\n`);
  return {
    budget: (budget) => budgetLines(budget).forEach(say),
    trial: ({ number, state, value, params, values, message }, best, metric) => {
      const figure = value === null ? message ?? "" : `${metric} ${showValue(value)}`;
      const where = state === "pruned" ? ` at step ${values.at(-1)?.[0]}` : "";
      const beside = best ? `, best ${showValue(best.value)} (trial ${best.number})` : "";
      say(`trial ${String(number).padEnd(5)}${state}${where}  ${figure}${beside}  ${paramsText(params)}`);
    },
    winner: ({ best, split, metrics, baseline, compared, metric, folder, bytes }) => {
      say(`\nbest      trial ${best.number}: ${metric} ${showValue(best.value)} on the eval rows that chose it`);
      for (const [path, value] of Object.entries(best.params)) say(`          ${path} = ${showValue(value)}`);
      const what = split === "eval"
        ? "eval, the rows that chose it (add data.test to measure on rows that it never saw)"
        : split;
      if (!compared) say(`figures   ${metricsText(metrics)}  of ${what}`);
      if (baseline?.reason === "diverged") say(`default   ${baseline.message ?? "the original spec diverged"}`);
      else if (baseline && !compared) say(`default   ${metricsText(baseline.metrics)}  with the original spec`);
      if (compared) comparedLines(compared, metric).forEach(say);
      say(`report    ${join(folder, "report.html")}\nbest run  ${join(folder, "best")}`);
      say(`on disk   ${(bytes / 1e6).toFixed(1)} MB in ${folder}`);
    },
  };
}

const metricsText = (metrics: Named<number>): string =>
  Object.entries(metrics).map(([name, value]) => `${name} ${showValue(value)}`).join(", ");

/** Compares the winner and the original spec on the same rows, in lines of text. */
function comparedLines(compared: RunsCompared, metric: string): string[] {
  const figures = comparedFigures(compared, metric);
  const width = Math.max(8, ...figures.map(({ name }) => name.length)) + 2;
  const lines = figures.map(({ name, best, default: baseline, difference, p }) =>
    `${name.padEnd(width)}${withinText(best).padEnd(26)}${withinText(baseline).padEnd(26)}${
      difference ? withinText(difference) : ""
    }${p === undefined ? "" : `  p ${showValue(p)}`}`
  );
  const rows = `${compared.rows} rows`;
  return [
    `\nOn test, ${rows} that no trial saw, with 95 % intervals:`,
    `${"".padEnd(width)}${"the winner".padEnd(26)}${"the original spec".padEnd(26)}difference`,
    ...lines,
    "",
  ];
}

function withinText({ value, interval }: FigureWithin): string {
  return interval ? `${showValue(value)} [${showValue(interval[0])}, ${showValue(interval[1])}]` : showValue(value);
}

/** Formats a trial's values in one line. */
function paramsText(params: Named<Json>): string {
  return Object.entries(params).map(([path, value]) => `${path}=${showValue(value)}`).join(" ");
}

function showValue(value: Json | undefined): string {
  if (typeof value === "number") return String(Number.isInteger(value) ? value : Number(value.toPrecision(4)));
  return typeof value === "string" ? value : JSON.stringify(value) ?? "";
}

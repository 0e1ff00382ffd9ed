/**
 * The report of a search: its course, the importance of options, every trial. One file without scripts or requests.
 */
import { importanceShares, importancesOf } from "../../core/statistics/importances.ts";
import type { Json, Named, Study } from "../../core/types.ts";
import { type Html, html, lineChart, renderShell, showNumber } from "../../blocks/page/mod.ts";
import { parallelCoordinates, spansMagnitudes } from "./report_parallel.ts";
import { comparedFigures, type FigureWithin, type RunsCompared } from "./compared_figures.ts";
import type { RunEnd } from "./runs.ts";
import { bestTrial } from "./run_study.ts";
import type { TrialLine } from "./study_files.ts";

/** Content of the report. `winner`: its figures and the rows that they describe, once it has been trained again. */
export type SearchReport = Readonly<{
  study: Omit<Study, "trials"> & Readonly<{ trials: readonly TrialLine[] }>;
  metric: string;
  sampler: string;
  pruner: string;
  winner?:
    | Readonly<{
      split: string;
      metrics: Named<number>;
      baseline?: RunEnd | undefined;
      compared?: RunsCompared | undefined;
    }>
    | undefined;
}>;

/** Number of complete trials below which importances are meaningless. */
const ENOUGH = 5;

/** Renders the whole page. */
export function renderSearch(report: SearchReport): string {
  const { study, metric, sampler, pruner, winner } = report;
  const { trials, direction, name } = study;
  const best = bestTrial(trials, direction);
  const count = (state: string): number => trials.filter((trial) => trial.state === state).length;
  const states = ["complete", "pruned", "failed"].filter((state) => count(state) > 0);
  return renderShell({
    name,
    kind: "search",
    about: html`<span>search by <b>${sampler}</b></span><span>pruner <b>${pruner}</b></span><span>${
      states.map((state) => `${count(state)} ${state}`).join(", ")
    }</span>`,
    main: html`
      ${best && bestSection(best, metric, winner)}
      ${winner && comparisonSection(winner, metric)}
      ${historySection(study, metric)}
      ${importanceSection(study)}
      ${parallelSection(study, metric)}
      ${trialsSection(study, metric, best)}
    `,
    footer: hasImportances(study)
      ? " Importances: PED-ANOVA, which compares the best tenth of the complete trials with all."
      : "",
    style: parallelStyle,
  });
}

const parallelStyle = `
.curves .dots { stroke: none; }
.axes svg { display: block; width: 100%; overflow: visible; }
.axes path { fill: none; stroke-width: 1.5; vector-effect: non-scaling-stroke; stroke-opacity: .55; stroke-linecap: round; }
.axes path.best { stroke-width: 3; stroke-opacity: 1; }
.axes path:hover { stroke-width: 3; stroke-opacity: 1; }
.axes line { stroke: var(--line); }
`;

function bestSection(best: TrialLine, metric: string, winner: SearchReport["winner"]): Html {
  return html`
    <section class="hero">
      <div>
        <p class="label">${metric} of trial ${best.number} on the eval rows, which chose it</p>
        <p class="big">${showValue(best.value)}</p>
        ${winner && html`<p class="sub">${winnerText(winner, metric)}</p>`}
      </div>
      <dl class="tiles">${Object.entries(best.params).map(([path, value]) =>
        html`
          <div>
            <dt>${path}</dt>
            <dd><b>${showValue(value)}</b></dd>
          </div>
        `
      )}</dl>
    </section>
  `;
}

function winnerText({ split, metrics }: NonNullable<SearchReport["winner"]>, metric: string): string {
  const figures = Object.entries(metrics).map(([name, value]) => `${name} ${showValue(value)}`).join(", ");
  return split === "eval"
    ? `Trained once more: ${figures}. These rows chose the trial; data.test adds rows that no trial has seen.`
    : `On ${split}, rows that no trial saw: ${metric} ${showValue(metrics[metric] ?? null)} (${figures}).`;
}

/** Renders the comparison of the winner and the original spec, on rows that no trial saw. */
function comparisonSection({ baseline, compared }: NonNullable<SearchReport["winner"]>, metric: string): Html | false {
  if (!baseline) return false;
  if (!compared) {
    const figures = Object.entries(baseline.metrics).map(([name, value]) => `${name} ${showValue(value)}`).join(", ");
    return html`
      <section>
        <h2>Compared with the original spec</h2>
        <p>${baseline.reason === "diverged" ? baseline.message ?? "It diverged." : `On the same rows: ${figures}.`}</p>
      </section>
    `;
  }
  return html`
    <section>
      <h2>Compared with the original spec</h2>
      <p
        class="muted">Both on the ${compared
          .rows} rows of test, which no trial saw, with 95 % intervals. A difference whose interval contains 0 may be chance.</p>
      <div class="scroll">
        <table class="rows">
          <thead>
            <tr>
              <th>figure</th>
              <th class="num">the winner</th>
              <th class="num">original spec</th>
              <th class="num">difference</th>
              <th class="num">p</th>
            </tr>
          </thead>
          <tbody>${comparedFigures(compared, metric).map(({ name, best, default: other, difference, p }) =>
            html`
              <tr>
                <th>${name}</th>
                <td class="num">${within(best)}</td>
                <td class="num">${within(other)}</td>
                <td class="num">${difference ? within(difference) : ""}</td>
                <td class="num">${p === undefined ? "" : showValue(p)}</td>
              </tr>
            `
          )}</tbody>
        </table>
      </div>
    </section>
  `;
}

function within({ value, interval }: FigureWithin): string {
  return interval ? `${showValue(value)} [${showValue(interval[0])}, ${showValue(interval[1])}]` : showValue(value);
}

function historySection({ trials, direction }: SearchReport["study"], metric: string): Html | false {
  if (trials.every(({ value }) => value === null)) return false;
  const sign = direction === "maximize" ? -1 : 1;
  let best: number | null = null;
  const soFar = trials.map(({ number, state, value }): [number, number | null] => {
    if (state === "complete" && value !== null && (best === null || sign * value < sign * best)) best = value;
    return [number, best];
  });
  const of = (state: string) =>
    trials.filter((trial) => trial.state === state).map((
      { number, value },
    ): [number, number | null] => [number, value]);
  const pruned = of("pruned");
  return html`
    <section>
      <h2>History</h2>
      ${lineChart({
        title: metric,
        height: 240,
        xLabel: "trial",
        log: spansMagnitudes(trials.flatMap(({ value }) => value ?? [])),
        curves: [
          { name: "best so far", color: 2, style: "line", points: soFar },
          { name: "complete", color: 1, style: "dots", points: of("complete") },
          ...(pruned.length > 0
            ? [{ name: "pruned, at its last step", color: 4 as const, style: "dots" as const, points: pruned }]
            : []),
        ],
      })}
    </section>
  `;
}

const completeIn = ({ trials }: SearchReport["study"]): readonly TrialLine[] =>
  trials.filter(({ state }) => state === "complete");

const hasImportances = (study: SearchReport["study"]): boolean => completeIn(study).length >= ENOUGH;

function importanceSection(study: SearchReport["study"]): Html | false {
  if (!hasImportances(study)) return false;
  const shares = Object.entries(importanceShares(importancesOf(study))).sort(([, a], [, b]) => b - a);
  const most = Math.max(...shares.map(([, share]) => share));
  return html`
    <section>
      <h2>What mattered</h2>
      <p class="muted">How much the best trials differ from all trials in each option.${completeIn(study).length <
          50 && " With few trials this is only a hint."}</p>
      <div class="scroll">
        <table class="rows">
          <thead>
            <tr>
              <th>option</th>
              <th class="num">share</th>
            </tr>
          </thead>
          <tbody>${shares.map(([path, share]) =>
            html`
              <tr>
                <th class="bar" style="--w:${Math.round(100 * share / most)}%">${path}</th>
                <td class="num">${(100 * share).toFixed(1)} %</td>
              </tr>
            `
          )}</tbody>
        </table>
      </div>
    </section>
  `;
}

function parallelSection(study: SearchReport["study"], metric: string): Html | false {
  const drawn = parallelCoordinates(study, metric);
  return drawn && html`
    <section>
      <h2>Every complete trial</h2>
      <p class="muted">One line per trial, through its values; the best is thick. A line breaks at options that the trial does not have.</p>
      ${drawn}
    </section>
  `;
}

function trialsSection({ trials, space }: SearchReport["study"], metric: string, best: TrialLine | undefined): Html {
  const paths = Object.keys(space);
  return html`
    <section>
      <h2>Trials</h2>
      <div class="scroll">
        <table class="rows">
          <thead>
            <tr><th class="num">trial</th><th>state</th><th class="num">${metric}</th>${paths.map((path) =>
              html`<th class="num">${path}</th>`
            )}<th>run</th></tr>
          </thead>
          <tbody>${trials.map(({ number, state, value, params, run, values, message }) =>
            html`<tr><td class="num">${number}${number === best?.number && " ★"}</td><td>${
              state === "pruned"
                ? `pruned at step ${values.at(-1)?.[0] ?? 0}`
                : message === undefined
                ? state
                : `${state}: ${message}`
            }</td><td class="num">${showValue(value)}</td>${
              paths.map((path) => html`<td class="num">${path in params ? showValue(params[path] ?? null) : ""}</td>`)
            }<td style="white-space:nowrap">${run}</td></tr>`
          )}</tbody>
        </table>
      </div>
    </section>
  `;
}

function showValue(value: Json): string {
  if (typeof value === "number") return showNumber(value, 4);
  if (value === null) return "–";
  return typeof value === "string" ? value : JSON.stringify(value);
}

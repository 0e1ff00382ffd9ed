/** The top of a report: the main metric with its interval, compared with the baselines. */
import { meanInterval, rowsInterval } from "../../../core/statistics/resampled.ts";
import { whatOf } from "../../../core/run/write/final_figures.ts";
import type { Analysis } from "./analysis.ts";
import type { ReportData } from "./collect.ts";
import { extent, type Html, html, linearScale, showNumber, showPercent } from "../../../blocks/page/mod.ts";
import { intervalText } from "./tables.ts";
import { type Whisker, whiskers } from "./whiskers.ts";

/** Draws the headline of each task of a finished, evaluated run; for other runs, what is known of the loss. */
export function headlines(run: ReportData): Html {
  const seen = [...run.tasks].flatMap(([task, { before, after }]) =>
    // `attune evaluate` has nothing but its metrics to begin with, even if the task answers parts of rows.
    after && (after.scores.length > 0 || run.points.length === 0) ? [headline(task, after, before)] : []
  );
  return seen.length === 0 ? lossHeadline(run) : html`${seen}`;
}

function headline(task: string, after: Analysis, before: Analysis | undefined): Html {
  if (after.scores.length === 0) return metricHeadline(task, after, before);
  return after.kind === "other" && Object.keys(after.metrics).some((name) => name !== "loss")
    ? metricHeadline(task, after, before)
    : scoreHeadline(task, after, before);
}

function scoreHeadline(task: string, after: Analysis, before: Analysis | undefined): Html {
  const share = after.kind !== "numbers";
  const show = share ? (value: number) => showPercent(value) : (value: number) => showNumber(value, 3);
  const others = [
    ...(before && paired(before, after) ? [{ name: "Untouched model", scores: before.scores }] : []),
    ...(after.baseline ? [{ name: capital(after.baseline.name), scores: after.baseline.scores }] : []),
  ];
  const lines = [{ name: "This model", scores: after.scores }, ...others].flatMap(({ name, scores }, i): Whisker[] => {
    const interval = rowsInterval(scores);
    return interval ? [{ name, main: i === 0, interval }] : [];
  });
  const main = lines[0]?.interval ?? { value: NaN, low: NaN, high: NaN };
  const scale = share
    ? linearScale([0, 1], 4, true)
    : linearScale([0, ...extent(lines.map(({ interval }) => interval.high))], 4, true);
  const gains = others.map(({ name, scores }) => {
    const gaps = after.scores.map((score, row) => (score - (scores[row] ?? 0)) * (share ? 1 : -1));
    const gain = meanInterval(gaps);
    return gain && html`<li>${gainText(name, gain, share)}</li>`;
  });
  return html`
    <section class="hero">
      <div class="lead">
        <p class="label">${titleOf(task, NAMES[after.kind])}</p>
        <p class="big">${show(main.value)}</p>
        <p class="sub">95 % interval ${show(main.low)} to ${show(main.high)}<br>${rowsOf(
          after,
          after.scores.length,
        )}</p>
      </div>
      <div class="beside">${whiskers(
        lines,
        scale,
        show,
        share ? (value) => showPercent(value, 0) : (value) => showNumber(value, 3),
      )}
    ${gains.length > 0 && html`<ul class="gains">${gains}</ul>`}</div>
    </section>
  `;
}

const NAMES: { readonly [K in Analysis["kind"]]: string } = {
  classes: "Accuracy",
  labels: "Rows with all labels correct",
  tags: "Correct tags, mean over rows",
  numbers: "Mean absolute error",
  other: "Exactly correct rows",
};

function gainText(name: string, gain: { value: number; low: number; high: number }, share: boolean): Html {
  const amount = (value: number): string => share ? Math.abs(value * 100).toFixed(1) : showNumber(Math.abs(value), 3);
  const unit = share ? " points" : "";
  const other = name === "Untouched model" ? "the untouched model" : `${name.charAt(0).toLowerCase()}${name.slice(1)}`;
  if (gain.low <= 0 && gain.high >= 0) {
    return html`No clear difference from ${other}: the interval of the difference contains 0.`;
  }
  const [from, to] = [gain.low, gain.high].map((value) => Math.abs(value)).sort((a, b) => a - b);
  const better = gain.value > 0;
  return html`
    <b class="${better ? "good" : "bad"}">${amount(gain.value)}${unit} ${better
      ? "better"
      : "worse"}</b> than ${other} <span
      class="muted">(${amount(from ?? 0)} to ${amount(to ?? 0)})</span>
  `;
}

/** Describes the rows that the metrics are for. */
function rowsOf({ split, measured }: Analysis, seen: number): string {
  const sample = seen < measured ? ` of ${showNumber(measured)}` : "";
  const rows = `${showNumber(seen)}${sample} ${split === undefined ? "held-out " : ""}${seen === 1 ? "row" : "rows"}`;
  const what = whatOf(split === undefined ? {} : { split });
  return what === undefined ? `on ${rows}` : `${what}, ${rows}`;
}

function metricHeadline(task: string, after: Analysis, before: Analysis | undefined): Html {
  const name = Object.keys(after.metrics).find((key) => key !== "loss") ?? "loss";
  const untouched = before?.metrics[name];
  const interval = intervalText(after.figures[`${name}_interval`]);
  return html`
    <section class="hero">
      <div class="lead">
        <p class="label">${titleOf(task, name)}</p>
        <p class="big">${showNumber(after.metrics[name] ?? NaN)}</p>
        <p class="sub">${interval !== "" && html`95 % interval ${interval}<br>`}${rowsOf(
          after,
          after.measured,
        )}${untouched !== undefined &&
          html`<br>untouched model ${showNumber(untouched)}`}</p>
      </div>
    </section>
  `;
}

function lossHeadline({ points, evaluations, end }: ReportData): Html {
  const losses = points.flatMap(({ loss }) => (loss === null ? [] : [loss]));
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const part = Math.max(1, Math.round(losses.length / 20));
  const why = end?.reason === "diverged" || end?.reason === "interrupted"
    ? "The run ended before its final evaluation."
    : evaluations.length > 0
    ? "No evaluated rows were kept."
    : "There is no evaluation data: data.eval adds accuracy, mistakes and calibration to this page.";
  if (losses.length === 0) {
    return html`
      <section class="hero">
        <div class="lead">
          <p class="label">Training loss</p>
          <p class="big">–</p>
          <p class="sub">The run made no step. ${why}</p>
        </div>
      </section>
    `;
  }
  return html`
    <section class="hero">
      <div class="lead">
        <p class="label">Training loss</p>
        <p class="big">${showNumber(mean(losses.slice(-part)), 3)}</p>
        <p class="sub">${showNumber(mean(losses.slice(0, part)), 3)} at the start<br>${why}</p>
      </div>
    </section>
  `;
}

/** Whether two phases have the same rows in the same order. */
function paired(a: Analysis, b: Analysis): boolean {
  return a.kind === b.kind && a.rows.length === b.rows.length && a.rows.every((row, i) => row === b.rows[i]);
}

function titleOf(task: string, figure: string): Html {
  return task === "" ? html`${figure}` : html`<b dir="auto">${task}</b> · ${figure}`;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

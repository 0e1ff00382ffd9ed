/**
 * Parallel coordinates: an axis for each option and one for the figure, a line for each trial.
 * @module
 */
import type { Json, Space, Study } from "../../core/types.ts";
import { type Html, html } from "../../plugins/loggers/report_html.ts";
import { showNumber } from "../../plugins/loggers/report_scale.ts";
import { bestTrial } from "./run_study.ts";

/** An axis: where a value is on it, from 0 below to 1 above, and what its ends are called. */
type Axis = Readonly<
  { name: string; at(value: Json): number; ends: readonly (readonly [place: number, text: string])[] }
>;

/** The chart; undefined if there is nothing to draw. */
export function parallelCoordinates(study: Study, metric: string): Html | false {
  const complete = study.trials.filter(({ state, value }) => state === "complete" && value !== null);
  if (complete.length < 2) return false;
  const figures = complete.map(({ value }) => Number(value));
  const [low, high] = [Math.min(...figures), Math.max(...figures)];
  const figure: Axis = {
    name: metric,
    at: (value) => (high > low ? (Number(value) - low) / (high - low) : 0.5),
    ends: high > low ? [[0, showNumber(low, 4)], [1, showNumber(high, 4)]] : [[0.5, showNumber(low, 4)]],
  };
  const axes = [...Object.entries(study.space).map(([path, range]) => axisOf(path, range)), figure];
  const best = bestTrial(study.trials, study.direction);
  const x = (i: number): number => 1000 * (i + 0.5) / axes.length;
  // The best last, above all others.
  const lines = [...complete.filter((trial) => trial !== best), ...complete.filter((trial) => trial === best)];
  return html`
    <div class="scroll axes">
      <div style="min-width:${96 * axes.length}px">
        <svg role="img" height="300" viewBox="0 0 1000 300" preserveAspectRatio="none" aria-label="${`${complete.length} trials over ${
          axes.map(({ name }) => name).join(", ")
        }`}">
    ${axes.map((_, i) => html`<line x1="${x(i)}" x2="${x(i)}" y1="0" y2="300" vector-effect="non-scaling-stroke" />`)}
    ${lines.map((trial) => {
      const points = axes.map(({ name, at }, i): string | undefined => {
        const value = name === metric && i === axes.length - 1 ? trial.value : trial.params[name];
        return value === undefined ? undefined : `${x(i).toFixed(1)} ${(300 * (1 - at(value))).toFixed(1)}`;
      });
      const good = figure.at(trial.value);
      const isGood = (study.direction === "maximize" ? good : 1 - good) >= 0.5;
      return html`
        <path class="${trial === best ? "best s2" : isGood ? "s1" : "s4"}" d="${path(points)}">
          <title>${`trial ${trial.number}: ${metric} ${showNumber(Number(trial.value), 4)}`}</title>
        </path>
      `;
    })}
      </svg>
        <div style="display:grid;grid-template-columns:repeat(${axes.length},1fr);text-align:center"
          class="muted">${axes.map(({ name, ends }) =>
            html`<div style="font-size:12px;overflow-wrap:anywhere;padding:6px"><b>${
              name.split(".").join("\u200b.")
            }</b><br>${ends.map(([, text]) => text).join(ends.length > 2 ? ", " : " – ")}</div>`
          )}</div>
      </div>
    </div>
  `;
}

function axisOf(name: string, range: Space): Axis {
  if (range.type === "categorical") {
    const keys = range.choices.map((choice) => JSON.stringify(choice));
    const place = (i: number): number => (keys.length < 2 ? 0.5 : i / (keys.length - 1));
    return {
      name,
      at: (value) => place(keys.indexOf(JSON.stringify(value))),
      ends: range.choices.map((choice, i) => [place(i), typeof choice === "string" ? choice : JSON.stringify(choice)]),
    };
  }
  const scaled = (value: number): number => (range.log ? Math.log(value) : value);
  const [low, high] = [scaled(range.low), scaled(range.high)];
  return {
    name,
    at: (value) => (high > low ? (scaled(Number(value)) - low) / (high - low) : 0.5),
    ends: [[0, showNumber(range.low, 3)], [1, showNumber(range.high, 3)]],
  };
}

/** A line through points, broken where one is missing; one that stands alone is a dot. */
function path(points: readonly (string | undefined)[]): string {
  return points.map((point, i) => {
    if (point === undefined) return "";
    const [before, after] = [points[i - 1], points[i + 1]];
    return `${before === undefined ? "M" : "L"}${point}${before === undefined && after === undefined ? "h0" : ""}`;
  }).join("");
}

/** Parallel coordinates: an axis for each option and one for the figure, a line for each trial. */
import type { Json, Space, Study } from "../../core/types.ts";
import { type Html, html, showNumber } from "../../blocks/page/mod.ts";
import { bestTrial } from "./run_study.ts";

/** An axis: its name, the position of a value from 0 (bottom) to 1 (top), and its labels. */
type Axis = Readonly<{ name: string; at(value: Json): number; text: string }>;

/** Whether figures differ so much that only their magnitudes can be shown, such as after some failed runs. */
export function spansMagnitudes(figures: readonly number[]): boolean {
  const low = Math.min(...figures);
  return low > 0 && Math.max(...figures) > 1000 * low;
}

/** Renders the chart; false if there is nothing to draw. */
export function parallelCoordinates(study: Study, metric: string): Html | false {
  const complete = study.trials.filter(({ state, value }) => state === "complete" && value !== null);
  if (complete.length < 2) return false;
  const figures = complete.map(({ value }) => Number(value));
  const [low, high] = [Math.min(...figures), Math.max(...figures)];
  const figure = rangeAxis(metric, low, high, spansMagnitudes(figures), 4);
  const sign = study.direction === "maximize" ? -1 : 1;
  const middle = [...figures].sort((a, b) => sign * (a - b))[Math.floor(figures.length / 2)] ?? 0;
  const axes = [...Object.entries(study.space).map(([path, range]) => axisOf(path, range)), figure];
  const best = bestTrial(study.trials, study.direction);
  const x = (i: number): number => 1000 * (i + 0.5) / axes.length;
  // The best one is drawn last, on top of the others.
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
      const isGood = sign * (Number(trial.value) - middle) < 0;
      return html`
        <path class="${trial === best ? "best s2" : isGood ? "s1" : "s4"}" d="${path(points)}">
          <title>${`trial ${trial.number}: ${metric} ${showNumber(Number(trial.value), 4)}`}</title>
        </path>
      `;
    })}
      </svg>
        <div style="display:grid;grid-template-columns:repeat(${axes.length},1fr);text-align:center"
          class="muted">${axes.map(({ name, text }) =>
            html`<div style="font-size:12px;overflow-wrap:anywhere;padding:6px"><b>${
              name.split(".").join("\u200b.")
            }</b><br>${text}</div>`
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
      text: range.choices.map((choice) => typeof choice === "string" ? choice : JSON.stringify(choice)).join(", "),
    };
  }
  return rangeAxis(name, range.low, range.high, range.log ?? false, 3);
}

function rangeAxis(name: string, low: number, high: number, byLog: boolean, digits: number): Axis {
  const scaled = (value: number): number => (byLog ? Math.log(value) : value);
  const share = (value: number): number => (scaled(value) - scaled(low)) / (scaled(high) - scaled(low));
  return {
    name,
    at: (value) => (high > low ? share(Number(value)) : 0.5),
    text: [...new Set([low, high])].map((end) => showNumber(end, digits)).join(" – "),
  };
}

/** Returns a path through points, interrupted where one is missing; an isolated point becomes a dot. */
function path(points: readonly (string | undefined)[]): string {
  return points.map((point, i) => {
    if (point === undefined) return "";
    const [before, after] = [points[i - 1], points[i + 1]];
    return `${before === undefined ? "M" : "L"}${point}${before === undefined && after === undefined ? "h0" : ""}`;
  }).join("");
}

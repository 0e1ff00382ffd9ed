/** Values with intervals on a common axis, one per line: the model and its baselines. */
import type { MeanInterval } from "../../../core/statistics/resampled.ts";
import { type Html, html, percentAt, type Scale } from "../../../blocks/page/mod.ts";

/** One line. `main`: whether the others are compared with it. */
export type Whisker = Readonly<{ name: string; main: boolean; interval: MeanInterval }>;

/** Draws the lines; `show` formats values, `tick` the axis. */
export function whiskers(
  lines: readonly Whisker[],
  scale: Scale,
  show: (value: number) => string,
  tick: (value: number) => string,
): Html {
  const range = ({ low, high }: MeanInterval): string => `${show(low)} to ${show(high)}`;
  return html`<div class="whiskers">${
    lines.map(({ name, main, interval }) =>
      html`<div class="name${main && " main"}">${name}</div>
<svg role="img" aria-label="${`${name}: ${show(interval.value)}, ${range(interval)}`}"><title>${`${name}: ${
        show(interval.value)
      }, 95 % interval ${range(interval)}`}</title>
${
        scale.ticks.map((at) =>
          html`
            <line class="grid" x1="${percentAt(scale, at)}%" x2="${percentAt(scale, at)}%" y1="0" y2="100%" />
          `
        )
      }
<line class="reach${main && " main"}" x1="0" x2="${
        percentAt(scale, interval.value)
      }%" y1="50%" y2="50%"/><line class="whisker${main && " main"}" x1="${percentAt(scale, interval.low)}%" x2="${
        percentAt(scale, interval.high)
      }%" y1="50%" y2="50%"/><circle class="value${main && " main"}" cx="${
        percentAt(scale, interval.value)
      }%" cy="50%" r="5.5"/></svg>
<div class="figure${main && " main"}">${show(interval.value)}</div>`
    )
  }
<div></div><div class="axis">${
    scale.ticks.map((at) => html`<span style="left:${percentAt(scale, at)}%">${tick(at)}</span>`)
  }</div><div></div></div>`;
}

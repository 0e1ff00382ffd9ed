/** The reliability diagram. */
import type { Calibration } from "./calibration.ts";
import { type Html, html, showNumber, showPercent } from "../../../blocks/page/mod.ts";

/** Draws accuracy by confidence and, below it, the number of predictions in each bin. */
export function calibrationChart({ bins, ece, rows }: Calibration): Html {
  const most = Math.max(1, ...bins.map((bin) => bin.rows));
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  const width = 100 / bins.length;
  return html`
    <div class="plot square" style="height:240px">
      <svg role="img" aria-label="${`Reliability diagram: expected calibration error ${showPercent(ece)}`}">
    ${ticks.map((tick) =>
      html`
        <line class="grid" x1="0" x2="100%" y1="${100 - tick * 100}%" y2="${100 - tick * 100}%" />
        <text class="tick" x="0" dx="-10" y="${100 - tick * 100}%" dy=".32em" text-anchor="end">${showPercent(
          tick,
          0,
        )}</text>
      `
    )}
    ${bins.map((bin, i) => {
      if (bin.rows === 0) return undefined;
      const [top, bottom] = [Math.max(bin.accuracy, bin.confidence), Math.min(bin.accuracy, bin.confidence)];
      const [x, w] = [round(i * width + 0.6), round(width - 1.2)];
      return html`
        <g class="bin">
          <title>${`${showPercent(i / bins.length, 0)} to ${
            showPercent((i + 1) / bins.length, 0)
          } sure: ${bin.rows} of ${rows} rows, ${showPercent(bin.accuracy)} right, mean confidence ${
            showPercent(bin.confidence)
          }`}</title>
          <rect class="bar" x="${x}%" width="${w}%" y="${round(100 - bin.accuracy * 100)}%" height="${round(
            bin.accuracy * 100,
          )}%" rx="2" />
          <rect class="gap" x="${x}%" width="${w}%" y="${round(100 - top * 100)}%" height="${round(
            (top - bottom) * 100,
          )}%" />
          <line class="said" x1="${x}%" x2="${round(x + w)}%" y1="${round(100 - bin.confidence * 100)}%" y2="${round(
            100 - bin.confidence * 100,
          )}%" />
        </g>
      `;
    })}
    <line class="diagonal" x1="0" y1="100%" x2="100%" y2="0"/>
      </svg>
    </div>
    <div class="plot below" style="height:44px">
      <svg role="img" aria-label="Predictions in each bin">
    <text class="tick" x="0" dx="-10" y="0" dy=".5em" text-anchor="end">${showNumber(most)}</text>
    ${bins.map((bin, i) =>
      bin.rows > 0 && html`
        <rect class="count" x="${round(i * width + 0.6)}%" width="${round(width - 1.2)}%" y="${round(
          100 - 100 * bin.rows / most,
        )}%" height="${round(100 * bin.rows / most)}%">
          <title>${`${bin.rows} of ${rows}`}</title>
        </rect>
      `
    )}
    <line class="base" x1="0" x2="100%" y1="100%" y2="100%"/>
    ${ticks.map((tick) =>
      html`<text class="tick" x="${tick * 100}%" y="100%" dy="18" text-anchor="middle">${showPercent(tick, 0)}</text>`
    )}
      </svg>
    </div>
  `;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

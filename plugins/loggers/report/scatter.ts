/** A scatter plot of predicted against true numbers. */
import { type Html, html, linearScale, percentAt, showNumber, showTicks } from "../../../blocks/page/mod.ts";

/** Draws pairs of numbers, with the same scale on both axes and the diagonal of correct predictions. */
export function scatter(points: readonly (readonly [reference: number, prediction: number])[]): Html {
  const scale = linearScale(points.flat(), 8, true);
  const labels = showTicks(scale.ticks);
  return html`
    <div class="plot square" style="height:400px">
      <svg role="img" aria-label="${`Predicted against true values of ${points.length} rows`}">
    ${scale.ticks.map((tick, i) =>
      html`
        <line class="grid" x1="0" x2="100%" y1="${100 - percentAt(scale, tick)}%" y2="${100 -
          percentAt(scale, tick)}%" />
        <line class="grid" y1="0" y2="100%" x1="${percentAt(scale, tick)}%" x2="${percentAt(scale, tick)}%" />
        <text class="tick" x="0" dx="-10" y="${100 -
          percentAt(scale, tick)}%" dy=".32em" text-anchor="end">${labels[i]}</text>
        <text class="tick" x="${percentAt(scale, tick)}%" y="100%" dy="20" text-anchor="middle">${labels[i]}</text>
      `
    )}
    <line class="diagonal" x1="0" y1="100%" x2="100%" y2="0"/>
    ${points.map(([reference, prediction]) =>
      html`
        <circle class="point" cx="${percentAt(
          scale,
          reference,
        )}%" cy="${Math.round(10000 - scale.at(prediction) * 10000) / 100}%" r="3.2">
          <title>${`true ${showNumber(reference)}, predicted ${showNumber(prediction)}`}</title>
        </circle>
      `
    )}
    <text class="axis" x="100%" y="100%" dy="36" text-anchor="end">true</text><text class="axis" x="0" y="0" dy="-10" dx="-10">predicted</text>
      </svg>
    </div>
  `;
}

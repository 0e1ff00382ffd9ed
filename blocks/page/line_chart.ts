/** Line charts as SVG that fills the available width: positions are in percent; text and strokes keep their size. */
import { type Html, html } from "./html.ts";
import { extent, linearScale, logScale, percentAt, type Scale, showNumber, showTicks } from "./scale.ts";

/** One curve; `color`: 1..4 of the palette. `faint`: thin and pale, behind the others. `dots`: marks every point. */
export type Curve = Readonly<{
  name: string;
  color: 1 | 2 | 3 | 4;
  style: "line" | "faint" | "dots";
  points: readonly (readonly [x: number, y: number | null])[];
}>;

/** A chart. `marks`: vertical lines with a label. `from`: a value that the axis must include. */
export type LineChart = Readonly<{
  title: string;
  curves: readonly Curve[];
  height: number;
  xLabel: string;
  log?: boolean;
  from?: number;
  marks?: readonly Readonly<{ x: number; text: string }>[];
}>;

/** Number of positions along x at which values can be read. */
const STRIPS = 100;

/** Draws a line chart, which shows the values under the pointer in its upper right corner. */
export function lineChart({ title, curves, height, xLabel, log = false, from, marks = [] }: LineChart): Html {
  const values = curves.flatMap((curve) => curve.points.flatMap(([, value]) => (value === null ? [] : [value])));
  const x = linearScale(curves.flatMap((curve) => curve.points.map(([place]) => place)), 6, false);
  const y = log
    ? logScale(values)
    : linearScale(from === undefined ? values : [...values, from], height > 200 ? 6 : 4, true);
  const labels = log && y.high < 1e6 ? y.ticks.map((tick) => showNumber(tick, 3)) : showTicks(y.ticks);
  const xTicks = x.ticks.filter(Number.isInteger);
  // The same size for all curves, so that none looks more important.
  const most = Math.max(...curves.map(({ points }) => points.length));
  const radius = most > 300 ? 2 : most > 60 ? 3 : 3.5;
  return html`
    <figure class="chart">
      <figcaption><b>${title}</b>${curves.length > 1 && legend(curves)}</figcaption>
      <div class="plot" style="height:${height}px">
        <svg role="img" aria-label="${summary(title, curves, xLabel)}">
    ${y.ticks.map((tick, i) =>
      html`
        <line class="grid" x1="0" x2="100%" y1="${down(y, tick)}%" y2="${down(y, tick)}%" />
        <text class="tick" x="0" dx="-10" y="${down(y, tick)}%" dy=".32em" text-anchor="end">${labels[i]}</text>
      `
    )}
    ${xTicks.map((tick) =>
      html`<text class="tick" x="${percentAt(x, tick)}%" y="100%" dy="20" text-anchor="middle">${
        showNumber(tick)
      }</text>`
    )}
    <text class="axis" x="100%" y="100%" dy="36" text-anchor="end">${xLabel}</text>
    ${marks.map((mark) =>
      html`
        <line class="mark" x1="${percentAt(x, mark.x)}%" x2="${percentAt(x, mark.x)}%" y1="0" y2="100%" />
        <text class="note" x="${percentAt(x, mark.x)}%" ${x.at(mark.x) > 0.85
          ? html`dx="-5" text-anchor="end"`
          : html`dx="5"`} y="0" dy="10">${mark.text}</text>
      `
    )}
    <svg class="curves" viewBox="0 0 1000 1000" preserveAspectRatio="none">${curves.map((curve) =>
      html`
        <path class="${curve.style} s${curve.color}" d="${path(curve, x, y)}" />
      `
    )}</svg>
    ${curves.filter(({ style }) => style === "dots").map((curve) =>
      curve.points.map(([place, value]) =>
        value !== null && html`
          <circle class="dot f${curve.color}" cx="${percentAt(x, place)}%" cy="${down(y, value)}%" r="${radius}" />
        `
      )
    )}
    ${strips(curves, x, y, xLabel)}
        </svg>
      </div>
    </figure>
  `;
}

/** Lists the names of curves next to their colours. */
function legend(curves: readonly Curve[]): Html {
  return html`<span class="legend">${
    curves.map(({ name, color, style }) => html`<span><i class="key ${style} b${color}"></i>${name}</span>`)
  }</span>`;
}

/** Returns the SVG path of a curve, interrupted at gaps. */
function path({ points }: Curve, x: Scale, y: Scale): string {
  let drawn = "";
  let pen = "M";
  for (const [place, value] of points) {
    if (value === null) pen = "M";
    else {
      drawn += `${pen}${Math.round(x.at(place) * 10000) / 10} ${Math.round((1 - y.at(value)) * 10000) / 10}`;
      pen = "L";
    }
  }
  return drawn;
}

/** Returns invisible columns that show a line, dots and the values while the pointer is over them. */
function strips(curves: readonly Curve[], x: Scale, y: Scale, xLabel: string): Html[] {
  const longest = curves.reduce(
    (most, curve) => (curve.points.length > most.length ? curve.points : most),
    [] as Curve["points"],
  );
  const count = Math.min(STRIPS, longest.length);
  const places = Array.from(
    { length: count },
    (_, i) => longest[Math.floor((i + 0.5) * longest.length / count)]?.[0] ?? 0,
  );
  return places.map((place, i) => {
    const left = i === 0 ? 0 : (percentAt(x, places[i - 1] ?? 0) + percentAt(x, place)) / 2;
    const right = i === count - 1 ? 100 : (percentAt(x, places[i + 1] ?? 0) + percentAt(x, place)) / 2;
    const read = curves.flatMap((curve) => {
      const value = nearest(curve.points, place, (x.high - x.low) / 60);
      return value === undefined ? [] : [{ curve, value }];
    });
    return html`
      <g
        class="strip"><rect x="${left}%" width="${Math.max(
          0.01,
          Math.round((right - left) * 100) / 100,
        )}%" height="100%"/><line x1="${percentAt(x, place)}%" x2="${percentAt(x, place)}%" y1="0" y2="100%"/>${read
          .map(({ curve, value }) =>
            html`
              <circle class="f${curve.color}" cx="${percentAt(x, place)}%" cy="${down(y, value)}%" r="3.5" />
            `
          )}<text x="100%" y="0" dy="-10" text-anchor="end">${xLabel} ${showNumber(place)}${read.map((
            { curve, value },
          ) =>
            html`
              · ${curves.length > 1 && `${curve.name} `}${showNumber(value)}
            `
          )}</text></g>
    `;
  });
}

function nearest(points: Curve["points"], place: number, within: number): number | undefined {
  let [low, high] = [0, points.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle]?.[0] ?? 0) < place) low = middle + 1;
    else high = middle;
  }
  const near = [points[low - 1], points[low]].flatMap((point) => (point ? [point] : []))
    .sort((a, b) => Math.abs(a[0] - place) - Math.abs(b[0] - place))[0];
  return near && Math.abs(near[0] - place) <= within ? near[1] ?? undefined : undefined;
}

function down(y: Scale, value: number): number {
  return Math.round((1 - y.at(value)) * 10000) / 100;
}

function summary(title: string, curves: readonly Curve[], xLabel: string): string {
  const said = curves.map(({ name, points }) => {
    const values = points.flatMap(([, value]) => (value === null ? [] : [value]));
    const [low, high] = extent(values);
    return `${name} from ${showNumber(values[0] ?? 0)} to ${showNumber(values.at(-1) ?? 0)}, least ${
      showNumber(low)
    }, greatest ${showNumber(high)}`;
  });
  return `${title} by ${xLabel}: ${said.join("; ")}`;
}

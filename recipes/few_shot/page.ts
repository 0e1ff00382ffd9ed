/** The report of a comparison: a self-contained page with a chart and its table, in light and dark mode. */
import { type Html, html, markupOf } from "../../blocks/page/mod.ts";
import type { Figure } from "./figures.ts";

/** Content of the page. */
export type Facts = Readonly<
  {
    model: string;
    decoder?: string | undefined;
    seeds: number;
    held: number;
    seconds: number;
    figures: readonly Figure[];
  }
>;

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [760, 400, 52, 44, 16, 16];

/** Returns the page as HTML. */
export function renderPage(facts: Facts): string {
  const { figures, model, decoder, seeds, held, seconds } = facts;
  const names = [...new Set(figures.map((f) => f.method))];
  const sizes = [...new Set(figures.map((f) => f.size))].sort((a, b) => a - b);
  const body = html`
    <main>
      <h1>How much a few rows help</h1>
      <p>Accuracy on ${held} held-out review sentences of models that saw so many labelled ones. Model: <b>${model}</b>${decoder !==
          undefined &&
        html`, in context: <b>${decoder}</b>`}. Points are means over ${seeds} draws of rows, whiskers their 95 % intervals (Student's t); dots are single draws.</p>
      <div class="legend">${names.map((name, i) => html`<span><i class="c${i}"></i>${name}</span>`)}</div>
      ${chart(figures, names, sizes)}
      <table>
        <thead><tr><th>rows</th>${names.map((name) => html`<th>${name}</th>`)}</tr></thead>
        <tbody>${sizes.map((size) =>
          html`<tr><th>${size}</th>${
            names.map((name) => {
              const f = figures.find((f) => f.method === name && f.size === size);
              return html`<td>${
                f && html`<b>${percent(f.mean)}</b> <span>${percent(f.low)} – ${percent(f.high)}</span>`
              }</td>`;
            })
          }</tr>`
        )}</tbody>
      </table>
      <footer>Took ${seconds.toFixed(0)} s.</footer>
    </main>
  `;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Few shot · Attune</title>
<style>${style}</style>
</head>
<body>
${markupOf(body)}
</body>
</html>
`;
}

function chart(figures: readonly Figure[], names: readonly string[], sizes: readonly number[]): Html {
  const all = figures.flatMap((f) => [f.low, f.high, ...f.accuracies]);
  const low = Math.max(0, Math.floor(Math.min(0.5, ...all) * 10) / 10);
  const high = Math.min(1, Math.ceil(Math.max(0.9, ...all) * 10) / 10);
  const step = (WIDTH - LEFT - RIGHT) / sizes.length;
  const x = (size: number, method: string): number =>
    LEFT + step * (sizes.indexOf(size) + 0.5) +
    (names.indexOf(method) - (names.length - 1) / 2) * Math.min(22, step / 8);
  const y = (value: number): number => TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low);
  const at = (value: number): string => value.toFixed(1);
  const ticks = Array.from({ length: Math.round((high - low) * 10) + 1 }, (_, i) => low + i / 10);
  return html`
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Accuracy by number of rows">
    ${ticks.map((tick) =>
      html`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at(y(tick))}" y2="${at(y(tick))}" />
<text x="${LEFT - 10}" y="${at(y(tick))}" dy=".32em" text-anchor="end">${(100 * tick).toFixed(0)} %</text>`
    )}
    ${sizes.map((size, i) =>
      html`<text x="${at(LEFT + step * (i + 0.5))}" y="${HEIGHT - BOTTOM + 20}" text-anchor="middle">${size}</text>`
    )}
    <text x="${WIDTH - RIGHT}" y="${HEIGHT - 6}" text-anchor="end">labelled rows</text>
    ${names.map((name, i) => {
      const ofMethod = sizes.flatMap((size) => figures.filter((f) => f.method === name && f.size === size));
      const points = ofMethod.map((f) => `${at(x(f.size, name))},${at(y(f.mean))}`).join(" ");
      return html`<g class="c${i}"><polyline points="${points}" />${
        ofMethod.map((f) => {
          const place = at(x(f.size, name));
          return html`<g><title>${name}, ${f.size} rows: ${percent(f.mean)} (${percent(f.low)} to ${
            percent(f.high)
          })</title>
<line class="whisker" x1="${place}" x2="${place}" y1="${at(y(f.low))}" y2="${at(y(f.high))}" />${
            f.accuracies.map((a) => html`<circle class="draw" cx="${Number(place) + 7}" cy="${at(y(a))}" r="2.2" />`)
          }<circle cx="${place}" cy="${at(y(f.mean))}" r="5" /></g>`;
        })
      }</g>`;
    })}
    </svg>
  `;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

const style = `
:root { color-scheme: light dark; --back: #fcfcfb; --ink: #1b1c1e; --soft: #62666d; --rule: #e4e5e7;
  --c0: #3457d5; --c1: #c2571a; --c2: #1a7f5a; --c3: #a3329c; --c4: #7a6a12; }
@media (prefers-color-scheme: dark) { :root { --back: #141517; --ink: #e8e9eb; --soft: #9a9fa8; --rule: #2c2e33;
  --c0: #8ea6ff; --c1: #f0965a; --c2: #5cc79b; --c3: #e08adb; --c4: #d6c35a; } }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 860px; margin: 0 auto; padding: 32px 20px 48px; }
h1 { font-size: 1.6rem; margin: 0 0 .4em; }
p, footer { color: var(--soft); max-width: 70ch; }
footer { margin-top: 18px; }
svg { width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 13px; }
.grid { stroke: var(--rule); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 16px 0 4px; }
.legend i { display: inline-block; width: 12px; height: 12px; border-radius: 50%; margin-right: 7px; }
polyline { fill: none; stroke-width: 1.5; opacity: .55; }
.whisker { stroke-width: 2.5; }
.draw { opacity: .45; }
${
  [0, 1, 2, 3, 4].map((i) =>
    `g.c${i} { fill: var(--c${i}); stroke: var(--c${i}); } i.c${i} { background: var(--c${i}); }`
  ).join("\n")
}
circle { stroke: none; }
table { border-collapse: collapse; width: 100%; margin-top: 18px; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: 6px 10px 6px 0; border-bottom: 1px solid var(--rule); font-weight: 400; }
thead th { color: var(--soft); }
td span { color: var(--soft); font-size: .85em; white-space: nowrap; }
@media (max-width: 600px) { table { display: block; overflow-x: auto; } }
`;

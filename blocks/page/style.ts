/** The look of pages: two themes over one set of variables, a theme switch without scripts, and a print style. */

/** Colours of a theme. Colour-blind readers can tell blue, orange, green and purple apart, also in greyscale. */
const light = `color-scheme: light;
--page: #f7f6f3; --card: #fffefc; --ink: #1d1c1a; --soft: #6a675f; --line: #e6e3dc; --rule: #efede7;
--c1: #2563a8; --c2: #c4570f; --c3: #2f7d5b; --c4: #7a5299; --hit: 37 99 168; --miss: 204 98 24; --strong: #fff;
--good: #22694b; --bad: #a8410a;`;
const dark = `color-scheme: dark;
--page: #131415; --card: #1b1c1e; --ink: #e9e7e2; --soft: #9c9992; --line: #2e3033; --rule: #26282a;
--c1: #6fa8e6; --c2: #f09a5b; --c3: #67bd95; --c4: #b892d6; --hit: 92 153 222; --miss: 226 128 62; --strong: #101112;
--good: #7cc9a4; --bad: #f0a36b;`;

/** The page's style sheet. */
export const style: string = `
:root { ${light} }
@media (prefers-color-scheme: dark) { :root { ${dark} } }
:root:has(#theme-light:checked) { ${light} }
:root:has(#theme-dark:checked) { ${dark} }
 * { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0 auto; max-width: 1080px; padding: 28px 24px 56px; background: var(--page); color: var(--ink);
  font: 15px/1.55 -apple-system, BlinkMacSystemFont, "Segoe UI", Inter, Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif;
  font-variant-numeric: tabular-nums; -webkit-font-smoothing: antialiased; }
h1, h2, p, dl, dd, ul, figure, fieldset { margin: 0; padding: 0; border: 0; }
h1 { font-size: 34px; line-height: 1.15; letter-spacing: -.022em; font-weight: 650; margin-top: 26px; overflow-wrap: anywhere; }
h2 { font-size: 17px; line-height: 1.3; font-weight: 620; letter-spacing: -.008em; }
h2.task { font-size: 24px; margin: 34px 0 14px; letter-spacing: -.016em; overflow-wrap: anywhere; }
.label b { color: var(--ink); font-weight: 620; }
.muted { color: var(--soft); font-weight: 400; }
p.muted { font-size: 13.5px; margin-top: 2px; max-width: 100ch; }
.top { display: flex; justify-content: space-between; align-items: center; }
.brand { font-weight: 650; letter-spacing: -.01em; color: var(--soft); }
.theme { display: flex; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; font-size: 12.5px; }
.theme legend { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.theme input { position: absolute; opacity: 0; pointer-events: none; }
.theme span { display: block; padding: 3px 11px; color: var(--soft); cursor: pointer; }
.theme input:checked + span { background: var(--card); color: var(--ink); }
.theme input:focus-visible + span { outline: 2px solid var(--c1); outline-offset: -2px; }
.about { display: flex; flex-wrap: wrap; gap: 4px 18px; margin: 10px 0 24px; color: var(--soft); align-items: center; overflow-wrap: anywhere; }
.about b { color: var(--ink); font-weight: 550; }
.state::before { content: ""; display: inline-block; width: 8px; height: 8px; border-radius: 50%; margin-right: 7px; background: var(--c2); }
.state.done::before { background: var(--c3); }
.message { border-left: 3px solid var(--c2); padding: 2px 0 2px 14px; margin: 0 0 20px; overflow-wrap: anywhere; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 20px 24px 22px; margin-bottom: 16px; min-width: 0; }
.hero { display: grid; grid-template-columns: minmax(220px, 1fr) minmax(0, 2.1fr); gap: 20px 48px; padding: 28px 32px; align-items: center; }
.label { color: var(--soft); font-size: 14px; overflow-wrap: anywhere; }
.big { font-size: 64px; line-height: 1.08; letter-spacing: -.035em; font-weight: 640; white-space: nowrap; }
.sub { color: var(--soft); font-size: 14px; margin-top: 8px; }
.whiskers { display: grid; grid-template-columns: minmax(96px, max-content) minmax(0, 1fr) max-content; column-gap: 20px; align-items: center; }
.whiskers .name { color: var(--soft); font-size: 14px; line-height: 1.25; max-width: 190px; overflow-wrap: anywhere; }
.whiskers .figure { color: var(--soft); text-align: right; }
.whiskers .main { color: var(--ink); font-weight: 600; }
.whiskers svg { display: block; width: 100%; height: 40px; overflow: visible; }
.whiskers .axis { position: relative; height: 20px; font-size: 11.5px; color: var(--soft); }
.whiskers .axis span { position: absolute; transform: translateX(-50%); top: 4px; white-space: nowrap; }
.reach { stroke: var(--soft); stroke-opacity: .22; stroke-width: 2; }
.reach.main { stroke: var(--c1); stroke-opacity: .3; }
.whisker { stroke: var(--soft); stroke-opacity: .5; stroke-width: 7; stroke-linecap: round; }
.whisker.main { stroke: var(--c1); stroke-opacity: .42; }
circle.value { fill: var(--soft); stroke: var(--card); stroke-width: 2; }
circle.value.main { fill: var(--c1); }
.gains { list-style: none; margin-top: 14px; padding-top: 14px; border-top: 1px solid var(--rule); font-size: 14px; }
.good { color: var(--good); } .bad { color: var(--bad); }
.gains b { font-weight: 620; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(168px, 1fr)); gap: 16px 24px; margin-top: 14px; }
.tiles dt { color: var(--soft); font-size: 13px; overflow-wrap: anywhere; }
.tiles b { display: block; font-size: 22px; font-weight: 600; letter-spacing: -.015em; line-height: 1.3; }
.tiles .muted { font-size: 12.5px; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 380px), 1fr)); gap: 12px 44px; }
.pair.sections { gap: 0 16px; align-items: stretch; }
.narrow { max-width: 560px; margin: 0 auto; }
.chart { margin-top: 16px; }
.chart figcaption { display: flex; flex-wrap: wrap; gap: 2px 18px; font-size: 13.5px; align-items: baseline; }
.chart figcaption b { font-weight: 600; overflow-wrap: anywhere; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; color: var(--soft); font-size: 12.5px; }
.key { display: inline-block; width: 14px; height: 0; border-top: 2px solid; vertical-align: middle; margin-right: 6px; }
.key.faint { opacity: .4; }
.key.dots { width: 7px; height: 7px; border: 0; border-radius: 50%; }
.b1 { border-color: var(--c1); } .b2 { border-color: var(--c2); } .b3 { border-color: var(--c3); } .b4 { border-color: var(--c4); }
.dots.b1 { background: var(--c1); } .dots.b2 { background: var(--c2); } .dots.b3 { background: var(--c3); } .dots.b4 { background: var(--c4); }
.plot { margin: 30px 14px 42px 58px; }
.plot.square { margin: 26px 14px 22px 58px; }
.narrow .plot.square:last-child { margin-bottom: 42px; }
.plot.below { margin: 0 14px 26px 58px; }
.plot > svg { display: block; width: 100%; height: 100%; overflow: visible; }
.curves { overflow: visible; }
.curves path { fill: none; stroke-width: 2; vector-effect: non-scaling-stroke; stroke-linejoin: round; stroke-linecap: round; }
.curves .faint { stroke-width: 1; stroke-opacity: .32; }
.curves .dots { stroke-width: 1.5; stroke-opacity: .55; }
.s1 { stroke: var(--c1); } .s2 { stroke: var(--c2); } .s3 { stroke: var(--c3); } .s4 { stroke: var(--c4); }
.f1 { fill: var(--c1); } .f2 { fill: var(--c2); } .f3 { fill: var(--c3); } .f4 { fill: var(--c4); }
.dot { stroke: var(--card); stroke-width: 1.5; }
.grid { stroke: var(--rule); shape-rendering: crispEdges; }
.base { stroke: var(--line); shape-rendering: crispEdges; }
svg text { fill: var(--soft); font-size: 11.5px; }
svg .axis { font-size: 11.5px; }
.mark { stroke: var(--soft); stroke-dasharray: 2 4; }
.strip rect { fill: transparent; }
.strip line, .strip circle, .strip text { opacity: 0; pointer-events: none; }
.strip line { stroke: var(--soft); stroke-opacity: .6; }
.strip circle { stroke: var(--card); stroke-width: 1.5; }
.strip text { fill: var(--ink); font-size: 12px; paint-order: stroke; stroke: var(--card); stroke-width: 5px; }
.strip:hover line, .strip:hover circle, .strip:hover text { opacity: 1; }
.bin .bar { fill: var(--c1); fill-opacity: .55; }
.bin .gap { fill: var(--c2); fill-opacity: .18; }
.bin .said { stroke: var(--ink); stroke-width: 2; stroke-opacity: .75; }
.bin:hover .bar { fill-opacity: .75; }
.count { fill: var(--soft); fill-opacity: .35; }
.diagonal { stroke: var(--soft); stroke-dasharray: 4 4; stroke-opacity: .7; }
.point { fill: var(--c1); fill-opacity: .45; }
.point:hover { fill-opacity: 1; }
.scroll { overflow-x: auto; margin: 14px -24px 0; padding: 0 24px; }
table { border-collapse: collapse; }
.heat { margin: 0 auto; border-collapse: separate; border-spacing: 3px; font-size: 13px; line-height: 1.2; }
.heat th { font-weight: 500; color: var(--soft); padding: 2px 6px; }
.heat thead th { vertical-align: bottom; }
.heat .side, .heat .corner { font-size: 12px; font-weight: 400; }
.heat .corner { text-align: right; }
.heat tbody th { text-align: right; color: var(--ink); padding-right: 10px; }
.heat th span { display: block; max-width: 150px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.heat.turned thead span { writing-mode: vertical-rl; rotate: 180deg; max-height: 120px; max-width: none; margin: 0 auto; line-height: 1.4; }
.heat thead th:not(.side):not(.corner):not(.sum) { color: var(--ink); }
.heat td { text-align: center; border-radius: 5px; }
.heat td b { display: block; font-weight: 600; }
.heat td small { display: block; font-size: 11px; opacity: .75; }
.heat .hit { background: rgb(var(--hit) / var(--a)); }
.heat .miss { background: rgb(var(--miss) / var(--a)); }
.heat .strong { color: var(--strong); }
.heat .none { background: var(--rule); color: var(--soft); }
.heat .none b { font-weight: 400; }
.heat .none small { display: none; }
.heat .sum { color: var(--soft); padding: 0 8px; text-align: right; font-weight: 400; }
.heat.large .hit, .heat.large .miss { width: 108px; height: 96px; }
.heat.large td b { font-size: 18px; }
.heat.medium .hit, .heat.medium .miss { width: 58px; height: 44px; }
.heat.small { border-spacing: 1px; font-size: 11px; }
.heat.small tbody th span { max-width: 110px; }
.heat.small .sum { padding: 0 2px 0 6px; }
.heat.small .hit, .heat.small .miss { min-width: 27px; height: 26px; border-radius: 3px; }
.heat.small td small { display: none; }
.heat.small td b { font-weight: 500; }
.heat.small .none b { visibility: hidden; }
.rows caption { text-align: left; padding-bottom: 2px; color: var(--soft); }
.rows caption b { color: var(--ink); font-weight: 600; }
.rows { width: 100%; font-size: 13.5px; line-height: 1.45; }
.rows th, .rows td { text-align: left; padding: 7px 18px 7px 0; border-bottom: 1px solid var(--rule); vertical-align: top; overflow-wrap: anywhere; }
.rows th:last-child, .rows td:last-child { padding-right: 0; }
.rows thead th { font-weight: 500; color: var(--soft); font-size: 12.5px; vertical-align: bottom; border-bottom-color: var(--line); overflow-wrap: normal; }
.rows tbody th { font-weight: 550; }
.rows tfoot th { font-weight: 400; }
.rows tfoot th, .rows tfoot td { color: var(--soft); border-bottom: 0; padding-bottom: 0; }
.rows .num { text-align: right; white-space: nowrap; }
.rows .bar { background: linear-gradient(var(--c1), var(--c1)) no-repeat 0 calc(100% - 2px) / calc(var(--w) - 18px) 2px; }
.worst .text { min-width: 240px; white-space: pre-line; unicode-bidi: plaintext; }
.worst .words { line-height: 1.75; unicode-bidi: plaintext; }
.worst .gold, .worst .said { min-width: 76px; unicode-bidi: plaintext; }
.worst .wrong .said { color: var(--bad); font-weight: 600; }
mark { background: none; color: var(--bad); font-weight: 600; }
mark small { font-size: 11px; font-weight: 400; opacity: .85; }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 270px), 1fr)); gap: 12px 28px; margin-top: 12px; }
.facts dt { color: var(--soft); font-size: 13px; }
.facts dd { font-weight: 550; overflow-wrap: anywhere; }
.facts .muted { font-size: 13.5px; }
.warnings { list-style: none; margin-top: 8px; font-size: 14px; overflow-wrap: anywhere; }
.warnings li { padding: 5px 0; border-top: 1px solid var(--rule); }
.warnings li:first-child { border-top: 0; }
code, pre { font: 12.5px/1.55 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { color: var(--bad); }
summary { cursor: pointer; display: flex; gap: 12px; align-items: baseline; font-size: 13.5px; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary::before { content: "▸"; color: var(--soft); }
details[open] summary::before { content: "▾"; }
pre { margin: 14px 0 0; white-space: pre-wrap; overflow-wrap: anywhere; }
footer { color: var(--soft); font-size: 12.5px; margin-top: 24px; }
@media (max-width: 760px) {
  body { padding: 18px 12px 40px; }
  h1 { font-size: 27px; }
  section { padding: 16px 16px 18px; }
  .hero { grid-template-columns: minmax(0, 1fr); padding: 20px 16px; }
  .big { font-size: 52px; }
  .whiskers { grid-template-columns: 92px minmax(0, 1fr) max-content; column-gap: 14px; }
  .scroll { margin-left: -16px; margin-right: -16px; padding: 0 16px; }
  .plot, .plot.square, .plot.below { margin-left: 46px; margin-right: 8px; }
}
@media print {
  :root, :root:has(#theme-dark:checked) { ${light} --page: #fff; --card: #fff; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  body { max-width: none; padding: 0; font-size: 12px; }
  section, figure, tr { break-inside: avoid; }
  section:has(.worst), section:has(pre) { break-inside: auto; }
  section { border-color: #ddd; margin-bottom: 10px; }
  .theme, details:not([open]) { display: none; }
  section:has(> details:not([open])) { display: none; }
  .scroll { overflow: visible; }
}
`;

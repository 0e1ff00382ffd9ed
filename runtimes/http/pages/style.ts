/** The style of the pages: one set of colour variables, light or dark as the reader's system is. */

/** The style sheet of both pages. */
export const style: string = `
:root { color-scheme: light dark;
  --page: light-dark(#f7f6f3, #131415); --card: light-dark(#fffefc, #1b1c1e); --ink: light-dark(#1d1c1a, #e9e7e2);
  --soft: light-dark(#66635b, #9f9c95); --line: light-dark(#e2dfd7, #2e3033); --code: light-dark(#f1efe9, #232527);
  --get: light-dark(#1d5a9e, #7db3ee); --post: light-dark(#22694b, #76cba4); --put: light-dark(#8a5a00, #e2b45c);
  --delete: light-dark(#a8341a, #f09a7e); }
 * { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--page); color: var(--ink); -webkit-font-smoothing: antialiased;
  font: 15px/1.55 -apple-system, BlinkMacSystemFont, "Segoe UI", Inter, Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif; }
a { color: inherit; text-decoration-color: var(--soft); text-underline-offset: 3px; }
a:focus-visible, summary:focus-visible { outline: 2px solid var(--get); outline-offset: 2px; border-radius: 4px; }
h1, h2, h3, p, ul, dl, dd { margin: 0; padding: 0; }
h1 { font-size: 32px; line-height: 1.15; letter-spacing: -.02em; font-weight: 650; }
h2 { font-size: 20px; letter-spacing: -.01em; font-weight: 630; margin: 44px 0 12px; }
h3 { font-size: 15px; font-weight: 600; }
code, pre, .path { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: 13px; }
code { background: var(--code); padding: 1px 5px; border-radius: 5px; overflow-wrap: anywhere; }
pre { background: var(--code); padding: 12px 14px; border-radius: 8px; margin: 8px 0 0; line-height: 1.5;
  white-space: pre-wrap; overflow-wrap: anywhere; }
pre code { background: none; padding: 0; }
.soft { color: var(--soft); }
.lead { margin-top: 10px; color: var(--soft); max-width: 72ch; }
.brand { font-weight: 650; color: var(--soft); letter-spacing: -.01em; }
.page { display: grid; grid-template-columns: 250px minmax(0, 1fr); max-width: 1180px; margin: 0 auto; }
nav { position: sticky; top: 0; align-self: start; max-height: 100vh; overflow-y: auto; scrollbar-width: thin; padding: 32px 8px 32px 24px; font-size: 13px; }
nav ul { list-style: none; margin-bottom: 14px; }
nav h2 { font-size: 12px; font-weight: 600; color: var(--soft); margin: 18px 0 4px; letter-spacing: 0; }
nav li a { display: flex; gap: 8px; align-items: baseline; padding: 2px 0; text-decoration: none; overflow-wrap: anywhere; }
nav li a:hover { text-decoration: underline; }
main { padding: 32px 28px 72px; min-width: 0; }
.home { max-width: 760px; margin: 0 auto; padding: 64px 28px; }
.method { font: 650 11px/1 ui-monospace, Menlo, Consolas, "Liberation Mono", monospace; letter-spacing: .03em; text-transform: uppercase; }
nav .method { width: 38px; flex: none; font-size: 9.5px; }
.get { color: var(--get); } .post { color: var(--post); } .put { color: var(--put); } .delete { color: var(--delete); }
details { background: var(--card); border: 1px solid var(--line); border-radius: 10px; margin-bottom: 10px; scroll-margin-top: 16px; }
details:target { border-color: var(--get); }
summary { display: flex; flex-wrap: wrap; gap: 2px 12px; align-items: baseline; padding: 12px 18px; cursor: pointer; list-style: none; }
summary::-webkit-details-marker { display: none; }
summary .path { font-weight: 600; font-size: 14px; overflow-wrap: anywhere; }
summary .soft { margin-left: auto; text-align: right; }
.inside { padding: 2px 18px 18px; border-top: 1px solid var(--line); }
.inside h3 { margin: 16px 0 4px; }
.inside > p { margin-top: 12px; max-width: 78ch; }
table { border-collapse: collapse; width: 100%; font-size: 13.5px; }
td { vertical-align: top; padding: 6px 14px 6px 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
tr:first-child > td { border-top: 0; }
td:first-child { white-space: nowrap; width: 1%; }
td table { margin-top: 4px; }
.facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 6px 28px; margin: 28px 0; padding: 18px 20px;
  background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.facts dt { color: var(--soft); }
.links { display: flex; flex-wrap: wrap; gap: 8px 22px; margin-top: 24px; }
@media (max-width: 760px) {
  .page { grid-template-columns: minmax(0, 1fr); }
  nav { display: none; }
  main { padding: 28px 16px 56px; }
  td, td:first-child { display: block; width: auto; white-space: normal; padding-right: 0; }
  td + td { border-top: 0; padding-top: 0; }
  summary .soft { margin-left: 0; text-align: left; width: 100%; }
}
`;

/** The Content-Security-Policy of pages: they run no code and load nothing. */
export const policy =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/**
 * What every page stands in: one file with nothing to fetch and nothing to execute, which its own content policy enforces.
 */
import { VERSION } from "../../core/base/version.ts";
import { html, markupOf, type Part } from "./html.ts";
import { style } from "./style.ts";

/** What a page has of its own. */
export type Page = Readonly<{
  /** The heading. */
  name: string;
  /** What kind of page it is, in its title; absent: a run's report. */
  kind?: string;
  /** Facts below the heading. */
  about: Part;
  main: Part;
  /** Stands behind the version. */
  footer?: string;
  /** Rules beside those that all pages have. */
  style?: string;
}>;

/** The whole page as text. */
export function renderShell({ name, kind, about, main, footer = "", style: own = "" }: Page): string {
  const body = html`
    <header>
      <div class="top">
        <p class="brand">Attune</p>
        <fieldset class="theme"><legend>Theme</legend>${["auto", "light", "dark"].map((theme) =>
          html`<label><input type="radio" name="theme" id="theme-${theme}"${
            theme === "auto" && html`
              checked
            `
          }><span>${theme}</span></label>`
        )}</fieldset>
      </div>
      <h1 dir="auto">${name}</h1>
      <p class="about">${about}</p>
    </header>
    <main>${main}</main>
    <footer>Made by Attune ${VERSION}.${footer}</footer>
  `;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${markupOf(name)}${kind === undefined ? "" : ` · ${kind}`} · Attune</title>
<style>${style}${own}</style>
</head>
<body>
${markupOf(body)}
</body>
</html>
`;
}

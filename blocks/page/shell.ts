/** The frame of every page: one file that loads and executes nothing, enforced by its own content security policy. */
import { VERSION } from "../../core/base/version.ts";
import { html, markupOf, type Part } from "./html.ts";
import { style } from "./style.ts";

/** The content of a page. */
export type Page = Readonly<{
  /** The heading. */
  name: string;
  /** The kind of page, for its title; absent: a run's report. */
  kind?: string;
  /** Facts below the heading. */
  about: Part;
  main: Part;
  /** Text after the version. */
  footer?: string;
  /** CSS rules in addition to those of all pages. */
  style?: string;
}>;

/** Renders the whole page. */
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

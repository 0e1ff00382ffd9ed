/**
 * The page: one file with nothing to fetch and nothing to execute, which its own content policy enforces.
 * @module
 */
import type { Json, Run } from "../../core/types.ts";
import { VERSION } from "../../core/version.ts";
import type { ReportData } from "./report_collect.ts";
import { dataSection } from "./report_data.ts";
import { baseOf, factsSection, specSection, warningsSection } from "./report_facts.ts";
import { headlines } from "./report_headline.ts";
import { type Html, html, markupOf } from "./report_html.ts";
import { metricsSection, qualitySections } from "./report_quality.ts";
import { samplesSection } from "./report_samples.ts";
import { style } from "./report_style.ts";
import { evaluationSection, trainingSection } from "./report_training.ts";

/** The whole page as text. */
export function renderPage(run: Run, spec: Json, seen: ReportData): string {
  const last = seen.end?.metrics ?? seen.evaluations.at(-1)?.metrics ?? {};
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
      <h1 dir="auto">${run.name}</h1>
      <p class="about"><span>${run.task.name}</span><span>from <b>${baseOf(
        run,
      )}</b></span>${run.adapters.length > 0 &&
        html`<span>with ${run.adapters.map(({ name }) => name).join(", ")}</span>`}${ending(seen)}</p>
    </header>
    <main>
    ${seen.end?.message !== undefined && seen.end.reason !== "done" && html`<p class="message">${seen.end.message}</p>`}
    ${headlines(seen, run.training.seed)}
    ${metricsSection(seen.tasks, last, seen.end)}
    ${trainingSection(seen)}
    ${evaluationSection(seen)}
    ${samplesSection(seen.answers)}
    ${[...seen.tasks].map(([task, { after }]) =>
      after && html`${task !== "" && html`<h2 class="task" dir="auto">${task}</h2>`}${qualitySections(after)}`
    )}
    ${dataSection(seen)}
    ${factsSection(run, seen)}
    ${warningsSection(seen)}
    ${specSection(spec)}
    </main>
    <footer>Made by Attune ${VERSION}. Intervals: percentile bootstrap over rows, 1${"\u202f"}000 samples; differences are paired by row.</footer>
  `;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${markupOf(run.name)} · Attune</title>
<style>${style}</style>
</head>
<body>
${markupOf(body)}
</body>
</html>
`;
}

function ending({ end, steps }: ReportData): Html {
  const reason = end?.reason ?? "interrupted";
  const words = { done: "finished", stopped: "stopped early", interrupted: "interrupted", diverged: "diverged" };
  return html`<span class="state ${reason}">${words[reason]}${reason !== "done" && ` at step ${steps}`}</span>`;
}

/** The page of a run. */
import type { Json, Run } from "../../../core/types.ts";
import type { ReportData } from "./collect.ts";
import { dataSection } from "./data.ts";
import { baseOf, factsSection, specSection, warningsSection } from "./facts.ts";
import { headlines } from "./headline.ts";
import { type Html, html, renderShell } from "../../../blocks/page/mod.ts";
import { metricsSection, qualitySections } from "./quality.ts";
import { samplesSection } from "./samples.ts";
import { evaluationSection, trainingSection } from "./training.ts";

/** Renders the whole page. */
export function renderPage(run: Run, spec: Json, seen: ReportData): string {
  const last = seen.end?.metrics ?? seen.evaluations.at(-1)?.metrics ?? {};
  return renderShell({
    name: run.name,
    about: html`<span>${run.task.name}</span><span>from <b>${baseOf(run)}</b></span>${
      run.adapters.length > 0 &&
      html`<span>with ${run.adapters.map(({ name }) => name).join(", ")}</span>`
    }${ending(seen)}`,
    main: html`
      ${seen.end?.message !== undefined && seen.end.reason !== "done" &&
        html`<p class="message">${seen.end.message}</p>`}
      ${headlines(seen)}
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
    `,
    footer:
      ` Intervals, 95 %: Wilson’s of shares, else the BCa bootstrap over rows, 2${"\u202f"}000 samples; differences are paired by row.`,
  });
}

function ending({ end, steps }: ReportData): Html {
  const reason = end?.reason ?? "interrupted";
  const words = { done: "finished", stopped: "stopped early", interrupted: "interrupted", diverged: "diverged" };
  return html`<span class="state ${reason}">${words[reason]}${reason !== "done" && ` at step ${steps}`}</span>`;
}

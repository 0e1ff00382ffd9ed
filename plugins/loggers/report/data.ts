/** What transforms did to a run's rows, and which evaluated rows occur in the training data. */
import type { Named, TrainingEvent } from "../../../core/types.ts";
import { type Html, html, showNumber } from "../../../blocks/page/mod.ts";

/** The event about transforms. */
export type DataEvent = Extract<TrainingEvent, { readonly type: "data" }>;

type Warning = Readonly<{ code: string; message: string }>;

/** The number of reasons in a cell; the others are summed. */
const REASONS = 6;

/** Draws a table for each split, with leaks below it; nothing if there are neither. */
export function dataSection(
  { data, warnings }: Readonly<{ data: readonly DataEvent[]; warnings: readonly Warning[] }>,
): Html | undefined {
  const leaks = warnings.filter(isLeak);
  if (data.length === 0 && leaks.length === 0) return undefined;
  return html`
    <section>
      <h2>Data</h2>
      ${data.length > 0 && html`
        <p class="muted">What transforms did to the rows, in order; data.json names the rows.</p>
      `}
      ${data.map(splitTable)}
      ${leaks.length > 0 &&
        html`<ul class="warnings">${
          leaks.map(({ code, message }) => html`<li><code>${code}</code> ${message}</li>`)
        }</ul>`}
    </section>
  `;
}

/** Whether a warning is about evaluated rows in the training data. */
export function isLeak({ code }: Pick<Warning, "code">): boolean {
  return code === "LEAKS";
}

/** Returns a message without the texts that it quotes. */
export function withoutTexts(message: string): string {
  return message.replace(/"(?:[^"\\]|\\.)*"/g, '"…"');
}

function splitTable({ what, in: before, out: after, transforms }: DataEvent): Html {
  return html`
    <div class="scroll">
      <table class="rows">
        <caption><b>${what}</b> ${showNumber(before)} rows${after !== before && ` → ${showNumber(after)}`}</caption>
        <thead>
          <tr>
            <th scope="col">Transform</th>
            <th scope="col" class="num">In</th>
            <th scope="col" class="num">Out</th>
            <th scope="col">Dropped</th>
            <th scope="col">Changed</th>
            <th scope="col">Added</th>
          </tr>
        </thead>
        <tbody>${transforms.map((one) =>
          html`
            <tr>
              <th scope="row">${one.within !== undefined && `${one.within}: `}${one.use}</th>
              <td class="num">${showNumber(one.in)}</td>
              <td class="num">${showNumber(one.out)}</td>
              <td>${reasonsText(one.dropped)}</td>
              <td>${reasonsText(one.changed)}</td>
              <td>${reasonsText(one.added)}</td>
            </tr>
          `
        )}</tbody>
      </table>
    </div>
  `;
}

/** Formats reasons as "9 missing, 4 duplicate", most frequent first. */
function reasonsText(reasons: Named<number>): string {
  const all = Object.entries(reasons).sort(([, a], [, b]) => b - a);
  const shown = all.slice(0, REASONS).map(([reason, n]) => `${showNumber(n)} ${reason}`);
  const others = all.slice(REASONS).reduce((sum, [, n]) => sum + n, 0);
  return [...shown, ...others > 0 ? [`${showNumber(others)} for other reasons`] : []].join(", ") || "–";
}

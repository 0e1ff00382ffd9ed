/** The report of `attune data` as an HTML page. */
import { splitNames } from "../../core/spec/run_data.ts";
import { type Html, html, renderShell } from "../../blocks/page/mod.ts";
import type { ColumnReport } from "./columns.ts";
import type { LengthReport } from "./lengths.ts";
import type { DataReport, DuplicateReport, SplitLeaks, SplitReport } from "./report.ts";
import { shownTransform } from "./shown.ts";
import { percent } from "./text.ts";

/** Renders the whole page, with the report of each task by the task's name. */
export function renderData(name: string, reports: readonly (readonly [string, DataReport])[]): string {
  return renderShell({
    name,
    kind: "data",
    about: html`<span>data</span>`,
    main: reports.map(([task, report]) => taskSection(task, report)),
    style: pageStyle,
  });
}

const pageStyle = `
.wide { overflow-x: auto; }
.data { border-collapse: collapse; width: 100%; font-size: 13.5px; }
.data th { text-align: left; font-weight: 600; color: var(--soft); }
.data th, .data td { padding: 6px 14px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
.data .n { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
.bar { display: grid; grid-template-columns: 9ch minmax(0, 1fr) 9ch; gap: 10px; align-items: center; font-size: 13px; }
.bar svg { display: block; width: 100%; height: 12px; }
.bar rect { fill: currentColor; opacity: .55; }
.bar .cut rect { opacity: .2; }
.tokens { white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.9 ui-monospace, Menlo, Consolas, monospace; opacity: .95; }
.tokens mark { background: light-dark(#cfe8d8, #1f4a35); color: inherit; border-radius: 3px; padding: 2px 0; }
h3 { margin: 22px 0 8px; }
main ul { padding-left: 20px; margin: 6px 0 12px; }
section > p { margin: 6px 0 10px; }
`;

/** Renders the rows of a split that are nearly the same as training rows. */
function nearLeaks(name: string, of: number, { other, first, uncompared }: NonNullable<SplitLeaks["near"]>): Html {
  return html`
    <h3>Nearly the same</h3>
    <p>${count(other)} of ${count(of)} (${percent(other, of)})${uncompared > 0 &&
      `; ${count(uncompared)} pairs were not compared: there may be more`}</p>
    ${first.length > 0 &&
      table(
        ["train", name, "similarity", "text"],
        first.map(({ row, other, similarity, text }) => [row, other, similarity.toFixed(2), text]),
        0,
        1,
        2,
      )}
  `;
}

function taskSection(task: string, report: DataReport): Html {
  return html`
    ${task !== "" && html`<h2>${task}</h2>`}
    ${splitNames.map((name) => report[name] && splitSection(name, report[name]))}
    ${Object.entries(report.leaks).map(([name, leaks]) =>
      html`
        <section>
          <h2>Rows of ${name} that stand in train</h2>
          <p>${count(leaks.rows)} of ${count(leaks.of)} (${percent(leaks.rows, leaks.of)})</p>
          ${leaks.first.length > 0 &&
            table(["train", name, "text"], leaks.first.map(({ train, other, text }) => [train, other, text]), 0, 1)}
          ${leaks.near && nearLeaks(name, leaks.of, leaks.near)}
        </section>
      `
    )}
    ${report.labels &&
      html`
        <section>
          <h2>Labels that are likely wrong</h2>
          <p>${count(
            report.labels.length,
          )}, by confident learning, of models that have not seen the row; the least trusted first.</p>
          ${table(
            [report.labels[0]?.split ?? "row", "trust", "given", "suggested", "text"],
            report.labels.slice(0, 200).map(({ row, score, given: label, suggested, text }) => [
              row,
              score.toFixed(3),
              label,
              suggested,
              text,
            ]),
            0,
            1,
          )}
        </section>
      `}
    ${report.tokens && report.tokens.length > 0 && html`
      <section>
        <h2>Tokens that are learned</h2>
        ${report.tokens.map(({ row, tokens }) =>
          html`
            <h3>train row ${row}</h3>
            <p class="tokens" dir="auto">${tokens.map(({ text, learned, label }) =>
              learned ? html`<mark>${text}${label !== undefined && html`<sub>${label}</sub>`}</mark>` : text
            )}</p>
          `
        )}
      </section>
    `}
  `;
}

function splitSection(name: string, split: SplitReport): Html {
  const { columns, lengths, duplicates, nearDuplicates, unreadable, transforms = [], notes, classes } = split;
  return html`
    <section>
      <h2>${name}: ${count(split.out)} rows${split.in === split.out ? "" : ` of ${count(split.in)}`}</h2>
      ${notes.map((note) => html`<p>${note}</p>`)}
      ${transforms.length > 0 && html`<ul>${transforms.map((one) => html`<li>${shownTransform(one)}</li>`)}</ul>`}
      ${table(
        ["column", "type", "missing", "empty", "contents"],
        Object.entries(columns).map(([column, one]) => [
          column,
          Object.keys(one.types).join(", ") || "nothing",
          count(one.missing),
          count(one.empty),
          contents(one, split.out, classes?.[column]),
        ]),
        2,
        3,
      )}
      ${lengths && lengthsPart(lengths, split.out)}
      ${duplicatesPart("Duplicates", duplicates, split.out)}
      ${nearDuplicates && duplicatesPart("Near duplicates", nearDuplicates, split.out)}
      ${unreadable && html`
        <h3>Rows that the task cannot read: ${count(unreadable.rows)}</h3>
        <ul>${unreadable.first.map((text) => html`<li>${text}</li>`)}</ul>
      `}
    </section>
  `;
}

function contents(
  { values, characters, entries }: ColumnReport,
  rows: number,
  names: readonly string[] | undefined,
): string {
  if (values) {
    const parts = Object.entries(values).map(([value, n]) =>
      `${value}${names?.[Number(value)] === undefined ? "" : ` ${names[Number(value)]}`} ${percent(n, entries ?? rows)}`
    );
    return parts.slice(0, 20).join(", ") + (parts.length > 20 ? `, ... ${parts.length} values` : "");
  }
  if (!characters) return "";
  return `${count(characters.least)} to ${count(characters.most)} characters, mean ${characters.mean.toFixed(0)}`;
}

function lengthsPart(lengths: LengthReport, rows: number): Html {
  const { histogram, maxLength } = lengths;
  const most = Math.max(1, ...histogram.map((bar) => bar.rows));
  return html`
    <h3>Tokens: ${count(lengths.total)}</h3>
    <p>A row has ${lengths.least} to ${count(lengths.most)}, median ${lengths.median}, p90 ${lengths.p90}, p95 ${lengths
      .p95},
      p99 ${lengths.p99}. ${maxLength === null
        ? "Nothing is cut."
        : `maxLength ${maxLength} cuts ${count(lengths.cutRows)} rows (${percent(lengths.cutRows, rows)}) and ${
          count(lengths.cutTokens)
        } tokens (${percent(lengths.cutTokens, lengths.total)}).`}</p>
    ${histogram.slice(Math.max(0, histogram.findIndex(({ rows }) => rows > 0))).map((bar) =>
      html`
        <div
          class="bar"><span>to ${bar
            .upTo}</span><svg viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true"${maxLength !== null &&
            bar.upTo > maxLength && html`
            class="cut"
          `}><rect width="${(100 * bar.rows / most).toFixed(2)}" height="12"/></svg><span class="n">${count(
            bar.rows,
          )}</span></div>
      `
    )}
  `;
}

function duplicatesPart(title: string, { rows, first, uncompared = 0 }: DuplicateReport, all: number): Html {
  return html`
    <h3>${title}: ${count(rows)} rows (${percent(rows, all)})</h3>
    ${first.length > 0 && table(["row", "repeats", "text"], first.map(({ row, of, text }) => [row, of, text]), 0, 1)}
    ${uncompared > 0 && html`<p>${count(uncompared)} pairs were not compared: there may be more.</p>`}
  `;
}

/** Renders a table; columns of numbers are right-aligned. */
function table(
  heads: readonly string[],
  lines: readonly (readonly (string | number)[])[],
  ...numbers: readonly number[]
): Html {
  const kind = (i: number): string => (numbers.includes(i) ? "n" : "t");
  return html`
    <div class="wide">
      <table class="data">
        <thead>
          <tr>${heads.map((head, i) => html`<th class="${kind(i)}">${head}</th>`)}</tr>
        </thead>
        <tbody>${lines.map((line) =>
          html`<tr>${line.map((cell, i) => html`<td class="${kind(i)}" dir="auto">${String(cell)}</td>`)}</tr>`
        )}</tbody>
      </table>
    </div>
  `;
}

function count(value: number): string {
  return value.toLocaleString("en-US");
}

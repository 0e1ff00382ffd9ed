/** The quality of a model's answers: confusion matrix, calibration, classes, scatter plot, worst rows. */
import { type FinalFigures, whatOf } from "../../../core/run/write/final_figures.ts";
import type { Named } from "../../../core/types.ts";
import type { Analysis, WorstRow } from "./analysis.ts";
import { metricsOf, type Phases } from "./collect.ts";
import { calibrationChart } from "./calibration_chart.ts";
import { type ClassCounts, ratesOf } from "./counts.ts";
import { heatMap } from "./heat_map.ts";
import { evaluationSections } from "./evaluation.ts";
import { type Html, html, type Part, showNumber, showPercent } from "../../../blocks/page/mod.ts";
import { breakdownSections, groupSections, intervalText } from "./tables.ts";
import { scatter } from "./scatter.ts";

/** The largest number of rows in the class table. */
const CLASSES = 200;

/** Up to this number of classes, the confusion matrix has half the width. */
const BESIDE = 5;

/** From this number of classes on, their table has the whole width. */
const TALL = 14;

/** Draws the final metrics next to the untouched model's; `last` are those of the last evaluation, of all tasks. */
export function metricsSection(
  tasks: ReadonlyMap<string, Phases>,
  last: Named<number>,
  { split, rows, eval: judged = {} }: Partial<FinalFigures> = {},
): Html | undefined {
  const before = metricsOf(tasks, "before");
  const metrics = Object.entries({ ...last, ...metricsOf(tasks, "after") }).filter(([, v]) => typeof v === "number");
  if (metrics.length === 0) return undefined;
  const figures = new Map(
    [...tasks].flatMap(([task, { after }]) =>
      Object.entries(after?.figures ?? {}).map(([key, value]) => [task === "" ? key : `${task}_${key}`, value] as const)
    ),
  );
  return html`
    <section>
      <h2>Metrics</h2>
      ${split && html`<p class="muted">Measured on ${whatOf({ split, ...(rows === undefined ? {} : { rows }) })}.</p>`}
      ${[...tasks].map(([task, { after }]) => after && sampleNote(task, after))}
      <dl class="tiles">${metrics.map(([name, value]) => {
        const [untouched, eval_] = [before[name], judged[name]];
        const interval = intervalText(figures.get(`${name}_interval`));
        return html`
          <div>
            <dt>${name}</dt>
            <dd><b>${showNumber(value)}</b>${interval !== "" &&
              html`<span class="muted">${interval}</span>`}${typeof untouched === "number" &&
              html`<span class="muted">untouched ${showNumber(untouched)}</span>`}${typeof eval_ === "number" &&
              html`
                <span class="muted">· eval ${showNumber(eval_)}</span>
              `}</dd>
          </div>
        `;
      })}</dl>
    </section>
  `;
}

/** Notes that the rows shown are only a sample. */
function sampleNote(task: string, { rows, measured }: Analysis): Html | undefined {
  if (rows.length >= measured || rows.length === 0) return undefined;
  const whose = task === "" ? "the rows" : `the rows of ${task}`;
  return html`
    <p
      class="muted">These figures are of all rows; the headline, tables and charts are of a sample of ${showNumber(
        rows.length,
      )} of ${whose}.</p>
  `;
}

/** Draws the sections for evaluated rows. */
export function qualitySections(after: Analysis): Html {
  return html`${groupSections(after.figures)}${evaluationSections(after.figures)}${
    after.kind === "numbers" && after.points.length > 0 &&
    html`<section><h2>Predicted against true</h2><div class="narrow">${scatter(after.points)}</div>
${
      after.points.length < after.scores.length &&
      html`<p class="muted">${showNumber(after.points.length)} of ${
        showNumber(after.scores.length)
      } rows, evenly chosen.</p>`
    }</section>`
  }
${after.kind === "classes" && classSections(after)}
${
    after.kind === "labels" &&
    pair(
      after.calibration && calibrationSection(after.calibration),
      tableSection("Labels", after.classes),
      after.classes.length <= TALL,
    )
  }
${after.kind === "tags" && tagSections(after)}
${
    after.kind === "other"
      ? after.sample.length > 0 && textSection(after)
      : after.worst.length > 0 && worstSection(after)
  }${breakdownSections(after.tables)}`;
}

function tagSections({ confusion, classes, worst }: Extract<Analysis, { readonly kind: "tags" }>): Html {
  const marked = ({ word, reference, prediction }: NonNullable<WorstRow["words"]>[number]): readonly Part[] => [
    reference === prediction ? word : html`<mark>${word} <small>${`${prediction}, true ${reference}`}</small></mark>`,
    " ",
  ];
  return html`${matrixSection(confusion)}${tableSection("Tags", classes, "Words")}${
    worst.length > 0 &&
    html`
      <section>
        <h2>Worst rows</h2>
        <p class="muted">Those with most wrong tags. Words that are wrong are marked, with the tag that was predicted.</p>
        <div class="scroll">
          <table class="rows worst">
            <thead>
              <tr>
                <th scope="col" class="num">Row</th>
                <th scope="col">Words</th>
              </tr>
            </thead>
            <tbody>${worst.map(({ row, words = [] }) =>
              html`
                <tr>
                  <td class="num muted">${row}</td>
                  <td class="words" dir="auto">${words.map(marked)}</td>
                </tr>
              `
            )}</tbody>
          </table>
        </div>
      </section>
    `
  }`;
}

/** Draws some rows with their predictions, right and wrong. */
function textSection({ sample, scores }: Extract<Analysis, { readonly kind: "other" }>): Html {
  return html`
    <section>
      <h2>Texts</h2>
      <p class="muted">${sample.length < scores.length && html`
        ${showNumber(sample.length)} of ${showNumber(scores.length)} rows, evenly chosen.
      `}Differences from the reference are marked.</p>
      <div class="scroll">
        <table class="rows worst">
          <thead>
            <tr>
              <th scope="col" class="num">Row</th>
              <th scope="col">Text</th>
              <th scope="col">Reference</th>
              <th scope="col">Predicted</th>
            </tr>
          </thead>
          <tbody>${sample.map(({ row, text, reference, prediction, wrong }) =>
            html`
              <tr class="${wrong ? "wrong" : "right"}">
                <td class="num muted">${row}</td>
                <td class="text" dir="auto">${text}</td>
                <td class="gold" dir="auto">${reference}</td>
                <td class="said" dir="auto">${prediction === ""
                  ? html`<span class="muted">nothing</span>`
                  : prediction}</td>
              </tr>
            `
          )}</tbody>
        </table>
      </div>
    </section>
  `;
}

/** Draws a small matrix next to the calibration, or a large one alone. */
function classSections({ confusion, classes, calibration }: Extract<Analysis, { readonly kind: "classes" }>): Html {
  const matrix = matrixSection(confusion);
  const reliability = calibration && calibrationSection(calibration);
  const table = tableSection("Classes", classes);
  return confusion.names.length <= BESIDE
    ? html`${pair(matrix, reliability)}${table}`
    : html`${matrix}${pair(reliability, table, classes.length <= TALL)}`;
}

function matrixSection(confusion: Parameters<typeof heatMap>[0]): Html {
  return html`<section><h2>Confusion matrix</h2><p class="muted">Rows: true class; columns: predicted class; as shares of the row. Blue is right, orange is wrong.</p>${
    heatMap(confusion)
  }</section>`;
}

function pair(a: Html | undefined, b: Html | undefined, beside = true): Html {
  return a && b && beside ? html`<div class="pair sections">${a}${b}</div>` : html`${a}${b}`;
}

function tableSection(title: string, classes: readonly ClassCounts[], counted = "Rows"): Html {
  return html`<section><h2>${title}</h2>${classTable(classes, counted)}</section>`;
}

function calibrationSection(calibration: Parameters<typeof calibrationChart>[0]): Html {
  return html`
    <section>
      <h2>Calibration</h2>
      <p
        class="muted">How often predictions are right (bars) at each level of confidence (dark lines). Expected calibration error <b>${showPercent(
          calibration.ece,
        )}</b>.</p>
      <div class="narrow">${calibrationChart(calibration)}</div>
    </section>
  `;
}

function classTable(classes: readonly ClassCounts[], counted: string): Html {
  const rows = classes.map((counts) => ({ ...counts, ...ratesOf(counts) }));
  const total = rows.reduce((sum, { support }) => sum + support, 0);
  const mean = (value: (row: (typeof rows)[number]) => number): number =>
    rows.reduce((sum, row) => sum + value(row), 0) / Math.max(1, rows.length);
  const weighted = (value: (row: (typeof rows)[number]) => number): number =>
    rows.reduce((sum, row) => sum + value(row) * row.support, 0) / Math.max(1, total);
  const bar = (value: number): Html =>
    html`<td class="num bar" style="--w:${Math.round(value * 1000) / 10}%">${showPercent(value)}</td>`;
  return html`
    <div class="scroll">
      <table class="rows">
        <thead>
          <tr>
            <th scope="col">Class</th>
            <th scope="col" class="num">Precision</th>
            <th scope="col" class="num">Recall</th>
            <th scope="col" class="num">F1</th>
            <th scope="col" class="num">${counted}</th>
          </tr>
        </thead>
        <tbody>${rows.slice(0, CLASSES).map((row) =>
          html`<tr><th scope="row">${row.name}</th>${bar(row.precision)}${bar(row.recall)}${
            bar(row.f1)
          }<td class="num">${showNumber(row.support)}</td></tr>`
        )}</tbody>
        <tfoot>
          <tr>
            <th scope="row">Mean of classes</th>
            <td class="num">${showPercent(mean((row) => row.precision))}</td>
            <td class="num">${showPercent(mean((row) => row.recall))}</td>
            <td class="num">${showPercent(mean((row) => row.f1))}</td>
            <td></td>
          </tr>
          <tr>
            <th scope="row">Weighted by ${counted.toLowerCase()}</th>
            <td class="num">${showPercent(weighted((row) => row.precision))}</td>
            <td class="num">${showPercent(weighted((row) => row.recall))}</td>
            <td class="num">${showPercent(weighted((row) => row.f1))}</td>
            <td class="num">${showNumber(total)}</td>
          </tr>
        </tfoot>
      </table>
    </div>
    ${rows.length > CLASSES && html`<p class="muted">The first ${CLASSES} of ${rows.length} classes.</p>`}
  `;
}

function worstSection({ worst, kind }: Analysis): Html {
  const probable = worst.some((row) => row.confidence !== undefined);
  const measured = worst.some((row) => row.loss !== undefined);
  const title = kind === "numbers" ? "absolute error" : "loss";
  const number = (value: number | undefined, show: (value: number) => string): string =>
    value === undefined ? "" : show(value);
  const line = ({ row, text, reference, prediction, wrong, confidence, referenceScore, loss }: WorstRow): Html =>
    html`
      <tr class="${wrong ? "wrong" : "right"}">
        <td class="num muted">${row}</td>
        <td class="text" dir="auto">${text}</td>
        <td class="gold" dir="auto">${reference}</td>
        <td class="said" dir="auto">${prediction}</td>
        ${probable && html`<td class="num">${number(confidence, showPercent)}</td>`}
        ${probable && html`<td class="num">${number(referenceScore, showPercent)}</td>`}
        ${measured && html`<td class="num">${number(loss, (value) => showNumber(value, 3))}</td>`}
      </tr>
    `;
  return html`
    <section>
      <h2>Worst rows</h2>
      <p
        class="muted">The ${worst.length === 1
          ? "row"
          : `${worst.length} rows`} with the highest ${title} of their own. Look here first for wrong labels.</p>
      <div class="scroll">
        <table class="rows worst">
          <thead>
            <tr><th scope="col" class="num">Row</th><th scope="col">Text</th><th scope="col">True</th><th scope="col">Predicted</th>${probable &&
              html`
                <th scope="col" class="num">Probability</th>
                <th scope="col" class="num">Of the true</th>
              `}${measured && html`<th scope="col" class="num">${kind === "numbers" ? "Error" : "Loss"}</th>`}</tr>
          </thead>
          <tbody>${worst.map(line)}</tbody>
        </table>
      </div>
    </section>
  `;
}

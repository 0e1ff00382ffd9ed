/** The confusion matrix as a heat map: an HTML table, which can be read aloud, copied and searched. */
import { type Confusion, largestClasses } from "./counts.ts";
import { type Html, html, showNumber, showPercent } from "../../../blocks/page/mod.ts";

/** If there are more classes, the smallest are combined. */
const CLASSES = 30;

/** Draws a confusion matrix: right and wrong cells in two colours, as strong as their share of the row. */
export function heatMap(whole: Confusion): Html {
  const confusion = largestClasses(whole, CLASSES);
  const { names, count } = confusion;
  const places = names.map((_, i) => i);
  const sums = places.map((i) => places.reduce((sum, j) => sum + count(i, j), 0));
  const size = names.length <= 4 ? "large" : names.length <= 13 ? "medium" : "small";
  const turned = names.length > 6 || names.some((name) => name.length > 14);
  return html`
    <div class="scroll">
      <table class="heat ${size}${turned && " turned"}">
        <thead>
          <tr>
            <td></td>
            <th class="side" colspan="${names.length}" scope="colgroup">Predicted</th>
            <td></td>
          </tr>
          <tr><th class="corner" scope="col">True</th>${names.map((name) =>
            html`<th scope="col" title="${name}"><span>${name}</span></th>`
          )}<th class="sum" scope="col"><span>Rows</span></th></tr>
        </thead>
        <tbody>${places.map((i) =>
          html`<tr><th scope="row" title="${names[i]}"><span>${names[i]}</span></th>${
            places.map((j) => cell(names, i, j, count(i, j), sums[i] ?? 0))
          }<td class="sum">${showNumber(sums[i] ?? 0)}</td></tr>`
        )}</tbody>
      </table>
    </div>
  `;
}

function cell(names: readonly string[], i: number, j: number, count: number, sum: number): Html {
  const share = sum === 0 ? 0 : count / sum;
  const title = `${names[i]} taken for ${names[j]}: ${count} of ${sum} rows, ${showPercent(share)}`;
  // Mistakes have small shares: their strength rises quickly, and does not start at zero.
  const strength = count === 0 ? 0 : Math.round((0.08 + 0.92 * (i === j ? share : Math.sqrt(share) * 0.9)) * 100) / 100;
  const classes = `${i === j ? "hit" : "miss"}${strength > 0.72 ? " strong" : ""}${count === 0 ? " none" : ""}`;
  return html`<td class="${classes}" style="--a:${strength}" title="${
    i === j ? `${names[i]}, right: ${count} of ${sum} rows, ${showPercent(share)}` : title
  }"><b>${count === 0 ? "0" : showNumber(count)}</b><small>${showPercent(share, 0)}</small></td>`;
}

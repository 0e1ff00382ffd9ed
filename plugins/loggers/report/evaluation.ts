/** Results of `attune evaluate` besides metrics: a comparison, the worst slices, thresholds before and after. */
import { isObject } from "../../../core/base/json.ts";
import type { Json, Named } from "../../../core/types.ts";
import { type Html, html } from "../../../blocks/page/mod.ts";
import { intervalText, numberText, table } from "./tables.ts";

/** Draws those results that there are. */
export function evaluationSections({ compare, slices, thresholds }: Named<Json>): Html {
  return html`
    ${isObject(compare) && comparisonSection(compare)}
    ${isObject(slices) && slicesSection(slices)}
    ${isObject(thresholds) && thresholdsSection(thresholds)}
  `;
}

function comparisonSection({ with: other, mcnemar, changed, ...differences }: Named<Json>): Html {
  const rows = Object.entries(differences).flatMap(([name, difference]) =>
    isObject(difference)
      ? [[
        name,
        numberText(difference.value),
        numberText(difference.other),
        numberText(difference.difference),
        intervalText(difference.difference_interval),
        numberText(isObject(mcnemar) && mcnemar.metric === name ? mcnemar.p : difference.p),
      ]]
      : []
  );
  return html`
    <section>
      <h2>Compared with ${String(other)}</h2>
      <p class="muted">On the same rows. p: how likely such a difference is by chance; of shares of right rows McNemar’s test.</p>
      ${table(["Figure", "This model", "The other", "Difference", "95 % interval", "p"], rows)}
      ${isObject(changed) && html`
        <p>Right in this model alone: ${rowsText(changed.fixed)}. In the other alone: ${rowsText(changed.broken)}.</p>
      `}
    </section>
  `;
}

/** The largest number of row numbers to list. */
const NAMED = 20;

function rowsText(rows: Json | undefined): string {
  const all = Array.isArray(rows) ? rows : [];
  if (all.length === 0) return "no row";
  const named = all.slice(0, NAMED).join(", ");
  return all.length > NAMED ? `${all.length} rows, the first ${named}` : `row${all.length > 1 ? "s" : ""} ${named}`;
}

function slicesSection({ metric, searched, slices }: Named<Json>): Html {
  const rows = (Array.isArray(slices) ? slices as readonly Json[] : []).flatMap((slice) => {
    if (!isObject(slice)) return [];
    const held = isObject(slice.heldOut) ? slice.heldOut : {};
    const numbers = [slice.count, slice.score, slice.others, held.score, slice.holm].map(numberText);
    return [[`${String(slice.column)}: ${String(slice.value)}`, ...numbers]];
  });
  return html`
    <section>
      <h2>Worst slices</h2>
      <p class="muted">By ${String(metric)}, of ${String(
        searched,
      )} that were searched. Held out: of rows that did not rank the slice. p is corrected by Holm for the search.</p>
      ${table(["Slice", "Rows", "Score", "Other rows", "Held out", "p"], rows)}
    </section>
  `;
}

function thresholdsSection({ column, tunedOn, shownOn, ...constraints }: Named<Json>): Html {
  const gaps = ["accuracy", "selectionRateGap", "truePositiveRateGap", "falsePositiveRateGap"] as const;
  const rows = Object.entries(constraints).flatMap(([name, own]) =>
    isObject(own)
      ? ["before", "mixture", "rounded"].map((rule) => {
        const effect = isObject(own[rule]) ? own[rule] : {};
        return [`${name.replaceAll("_", " ")}, ${rule}`, ...gaps.map((gap) => numberText(effect[gap]))];
      })
      : []
  );
  return html`
    <section>
      <h2>Thresholds by ${String(column)}</h2>
      <p class="muted">Chosen on ${String(tunedOn)}; shown on ${String(shownOn)}.</p>
      ${table(["Rule", "Accuracy", "Gap of selected", "Of true positives", "Of false positives"], rows)}
    </section>
  `;
}

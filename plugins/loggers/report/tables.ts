/** Tables of a report: parts of the rows, and metrics by group. */
import { isObject } from "../../../core/base/json.ts";
import type { Json, Named } from "../../../core/types.ts";
import type { Breakdown } from "./breakdown.ts";
import { type Html, html, showNumber, showPercent } from "../../../blocks/page/mod.ts";

/** Draws the tables of parts of the rows; nothing if there are none. */
export function breakdownSections(tables: readonly Breakdown[]): Html {
  return html`${
    tables.map(({ title, note, columns, rows, shares }) =>
      html`
        <section>
          <h2>${title}</h2>
          <p class="muted">${note}</p>
          ${table(columns, rows.map((row) => row.map((cell, i) => cellText(cell, shares.includes(i)))))}
        </section>
      `
    )
  }`;
}

/** Draws metrics by group, and gaps between groups with each group's rates. */
export function groupSections(figures: Named<Json>): Html {
  const gaps = Object.entries(figures).map(([name, value]) =>
    isObject(value) && isObject(value.groups) && gapSection(name, value, value.groups)
  );
  return html`${byColumns(figures).map(byGroupSection)}${gaps}`;
}

/** Metrics over the same groups of rows: by metric name, the value of each group. */
type ByGroup = Readonly<{ by: string; metrics: Named<Named<Json>> }>;

/** Collects metrics by group, with those over the same groups together. */
function byColumns(all: Named<Json>): readonly ByGroup[] {
  const found = new Map<string, { by: string; metrics: Record<string, Named<Json>> }>();
  for (const [name, groups] of Object.entries(all)) {
    if (!isObject(groups) || !Object.values(groups).some((figures) => isObject(figures) && "count" in figures)) {
      continue;
    }
    const at = name.lastIndexOf("_by_");
    const [metric, by] = at < 0 ? [name, ""] : [name.slice(0, at), name.slice(at + 4)];
    const counts = Object.entries(groups).map((
      [group, figures],
    ) => [group, isObject(figures) ? figures.count ?? null : null]);
    const key = JSON.stringify([by, counts]);
    const same = found.get(key) ?? { by, metrics: {} };
    found.set(key, same);
    same.metrics[metric] = groups;
  }
  return [...found.values()];
}

function byGroupSection({ by, metrics }: ByGroup): Html {
  const [first = {}] = Object.values(metrics);
  const cell = (figures: Json | undefined): string => {
    const { value, value_interval } = isObject(figures) ? figures : {};
    const interval = intervalText(value_interval);
    return `${numberText(value)}${interval === "" ? "" : ` (${interval})`}`;
  };
  const rows = Object.entries(first).map(([group, figures]) => [
    group,
    numberText(isObject(figures) ? figures.count : undefined),
    ...Object.values(metrics).map((groups) => cell(groups[group])),
  ]);
  return html`
    <section>
      <h2>By ${by}</h2>
      ${table(["Group", "Rows", ...Object.keys(metrics)], rows)}
    </section>
  `;
}

function gapSection(name: string, gap: Named<Json>, groups: Named<Json>): Html {
  const said = ["difference", "ratio"].map((key) => {
    const interval = intervalText(gap[`${key}_interval`]);
    const chance = gap[`${key}_by_chance`] === undefined ? "" : `, by chance ${numberText(gap[`${key}_by_chance`])}`;
    const range = intervalText(gap[`${key}_by_chance_interval`]);
    return `${key} ${numberText(gap[key])}${interval === "" ? "" : ` (${interval})`}${chance}${
      range === "" ? "" : ` (${range})`
    }`;
  });
  const rates = ["selectionRate", "truePositiveRate", "falsePositiveRate"] as const;
  const rows = Object.entries(groups).flatMap(([group, figures]) =>
    isObject(figures)
      ? [[
        group,
        ...rates.map((rate) => {
          const interval = intervalText(figures[`${rate}_interval`]);
          return figures.leftOut === true
            ? "too few rows"
            : `${numberText(figures[rate])}${interval === "" ? "" : ` (${interval})`}`;
        }),
        numberText(figures.count),
      ]]
      : []
  );
  return html`
    <section>
      <h2>${name}</h2>
      <p class="muted">${said.join(
        "; ",
      )}. A gap is never below 0, so even equal groups have one by chance: that of the same rows in random groups. The rate of an empty group is 0.</p>
      ${table(["Group", "Selected", "True positives", "False positives", "Rows"], rows)}
    </section>
  `;
}

/** Draws a table; all columns except the first are numbers. */
export function table(columns: readonly string[], rows: readonly (readonly string[])[]): Html {
  return html`
    <div class="scroll">
      <table class="rows">
        <thead>
          <tr>${columns.map((name, i) =>
            html`
              <th scope="col" ${i > 0 && html`
                class="num"
              `}>${name}</th>
            `
          )}</tr>
        </thead>
        <tbody>${rows.map((row) =>
          html`<tr>${
            row.map((cell, i) => i === 0 ? html`<td dir="auto">${cell}</td>` : html`<td class="num">${cell}</td>`)
          }</tr>`
        )}</tbody>
      </table>
    </div>
  `;
}

function cellText(cell: string | number, share: boolean): string {
  return typeof cell === "string" ? cell : share ? showPercent(cell) : showNumber(cell);
}

/** Formats a number for a cell. */
export function numberText(value: Json | undefined): string {
  return typeof value === "number" ? showNumber(value) : "–";
}

/** Formats an interval for a cell. */
export function intervalText(value: Json | undefined): string {
  if (!Array.isArray(value)) return "";
  return value.map((bound) => numberText(bound)).join(" to ");
}

/** The effects of transforms, in one line each. */
import { placedTransform } from "../../core/data/rows_through.ts";
import type { TransformReport } from "../../core/types.ts";

/** Formats a transform's counts as a line. */
export function shownTransform(report: TransformReport): string {
  const { in: before, out } = report;
  const parts = (["dropped", "changed", "added"] as const).flatMap((action) => {
    const counts = Object.entries(report[action]).map(([reason, count]) =>
      `${count.toLocaleString("en-US")} ${reason}`
    );
    return counts.length > 0 ? [`${action}: ${counts.join(", ")}`] : [];
  });
  const rows = `${before.toLocaleString("en-US")} rows${before === out ? "" : ` -> ${out.toLocaleString("en-US")}`}`;
  return [`${placedTransform(report)}: ${rows}`, ...parts].join("; ");
}

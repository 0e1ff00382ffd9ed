/** The error for data sets without rows. */
import { AttuneError } from "../base/errors.ts";
import type { Rows } from "../types.ts";

/** Returns the error for a data set without rows, which names it and says what its transforms have dropped. */
export function noRows(plugin: string, what?: string, transforms: Rows["transforms"] = []): AttuneError {
  const dropped = transforms.flatMap(({ use, dropped }) => {
    const reasons = Object.entries(dropped).map(([reason, count]) => `${count} ${reason}`);
    return reasons.length > 0 ? [`${use} left out ${reasons.join(", ")}`] : [];
  });
  const why = dropped.length > 0 ? `: of ${transforms[0]?.in}, ${dropped.join("; ")}` : "";
  return new AttuneError(`The data set has no rows${what ? ` (${what})` : ""}${why}`, {
    code: "EMPTY_DATA",
    plugin,
    found: 0,
    allowed: ["at least one row"],
  });
}

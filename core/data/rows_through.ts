/** How many rows there were before transforms, and behind them. */
import type { TransformReport } from "../types.ts";

/** Rows that go into the transforms which stand on a data set itself, and come out: all of `count` where there are none. */
export function rowsThrough(
  transforms: readonly TransformReport[],
  count: number,
): Readonly<{ in: number; out: number }> {
  const first = transforms.find(({ within }) => within === undefined);
  return { in: first?.in ?? count, out: count };
}

/** A transform by its name, and where it stands, if not on the data set itself. */
export function placedTransform({ use, within }: Pick<TransformReport, "use" | "within">): string {
  return within === undefined ? use : `${within}: ${use}`;
}

/** The numbers of rows before and after transforms. */
import type { TransformReport } from "../types.ts";

/** Counts the rows into and out of the transforms of a data set itself, not of its sources; `count` without any. */
export function rowsThrough(
  transforms: readonly TransformReport[],
  count: number,
): Readonly<{ in: number; out: number }> {
  const first = transforms.find(({ within }) => within === undefined);
  return { in: first?.in ?? count, out: count };
}

/** Names a transform for messages, with its place if it is not on the data set itself. */
export function placedTransform({ use, within }: Pick<TransformReport, "use" | "within">): string {
  return within === undefined ? use : `${within}: ${use}`;
}

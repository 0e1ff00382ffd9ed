/** Rows to learn from: with labels, and with a teacher's outputs where the task has a teacher. */
import type { Dataset } from "../../types.ts";
import type { EncodedRows } from "./encoded_rows.ts";
import type { OpenRun } from "../open/open.ts";
import { encodeRows, type ReadingOptions } from "./data.ts";

/**
 * Rows with labels, read as `options` say, and with what a teacher says of them where the task has one. Throws as
 * `encodeRows` and `addTeacherTargets` do.
 */
export async function labelledRows(
  open: OpenRun,
  dataset: Dataset,
  options: ReadingOptions = {},
): Promise<EncodedRows> {
  const encoded = await encodeRows(open, dataset, true, options);
  const { teacher } = open.task;
  return teacher
    ? await (await import("../evaluate/teacher.ts")).addTeacherTargets(open, teacher, encoded, options)
    : encoded;
}

/** Rows with labels, and with a teacher's outputs if the task has a teacher. */
import type { Dataset } from "../../types.ts";
import type { EncodedRows } from "./encoded_rows.ts";
import type { OpenRun } from "../open/open.ts";
import { encodeRows, type ReadingOptions } from "./data.ts";

/**
 * Encodes rows with labels, and adds a teacher's outputs as targets if the task has a teacher. Throws like `encodeRows`
 * and `addTeacherTargets`.
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

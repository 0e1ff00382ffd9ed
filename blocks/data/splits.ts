/** The splits of a source by their names, and parts of them as Hugging Face's `datasets` writes them. */
import type { Rows } from "../../core/types.ts";
import type { Splits } from "./slices.ts";

/**
 * The rows that `datasets` would give for a text as "train[:10%]+test". Throws AttuneError if there is no such
 * split, or if the text is not written as `datasets` has it.
 */
export async function slicedRows(plugin: string, split: string, splits: Splits): Promise<Rows> {
  if (splits.names.includes(split)) return await splits.open(split);
  const { rowsOfSlices } = await import("./sliced_rows.ts");
  return await rowsOfSlices(plugin, split, splits);
}

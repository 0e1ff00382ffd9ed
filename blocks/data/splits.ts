/** The splits of a source by name, and slices of them in the notation of Hugging Face's `datasets`. */
import type { Rows } from "../../core/types.ts";
import type { Splits } from "./slices.ts";

/**
 * Returns the rows that `datasets` would return for a text like "train[:10%]+test". Throws AttuneError if there is no
 * such split, or the text is not in that notation.
 */
export async function slicedRows(plugin: string, split: string, splits: Splits): Promise<Rows> {
  if (splits.names.includes(split)) return await splits.open(split);
  const { rowsOfSlices } = await import("./sliced_rows.ts");
  return await rowsOfSlices(plugin, split, splits);
}

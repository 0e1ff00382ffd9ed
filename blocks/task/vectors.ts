/** Predictions of objectives whose output is one vector per row. */
import type { Json, Named, Tensor } from "../../core/types.ts";

/** Returns `{ embedding }` of each row. */
export function vectorRows(outputs: Named<Tensor>): readonly Named<Json>[] {
  const { embedding } = outputs;
  const [rows = 0, width = 0] = embedding?.dims ?? [];
  const data = embedding?.data as Float32Array | undefined;
  return Array.from({ length: rows }, (_, i) => ({ embedding: [...data?.subarray(i * width, (i + 1) * width) ?? []] }));
}

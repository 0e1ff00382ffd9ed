/** Adds an adapter's low-rank product to a weight. */
import type { Tensor } from "../../core/types.ts";

type Matrix = Tensor<Float32Array>;

/** Returns W + outer ⊙ (scale · B (middle ⊙ A)); further columns of A are ignored. */
export function withProduct(
  weight: Matrix,
  a: Matrix,
  b: Matrix,
  middle: Matrix,
  scale: number,
  outer?: Matrix,
): Matrix {
  const [rows = 0, columns = 0] = weight.dims;
  const [r = 0, width = 0] = a.dims;
  const data = Float32Array.from(weight.data);
  const row = new Float64Array(columns);
  for (let i = 0; i < rows; i++) {
    row.fill(0);
    for (let k = 0; k < r; k++) {
      const factor = scale * (b.data[i * r + k] ?? 0) * (middle.data[k] ?? 0);
      for (let j = 0; j < columns; j++) row[j] = (row[j] ?? 0) + factor * (a.data[k * width + j] ?? 0);
    }
    const times = outer ? outer.data[i] ?? 0 : 1;
    for (let j = 0; j < columns; j++) data[i * columns + j] = (data[i * columns + j] ?? 0) + times * (row[j] ?? 0);
  }
  return { ...weight, data };
}

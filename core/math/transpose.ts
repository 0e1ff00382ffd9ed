/** Matrix transposition on the host. */

/** Returns the transpose of a row-major matrix [rows, columns]. */
export function transposeMatrix<T extends Float32Array | Float64Array>(w: T, rows: number, columns: number): T {
  const out = w.slice() as T;
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = w[i * columns + j] ?? 0;
  return out;
}

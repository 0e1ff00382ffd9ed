/** Row gradients of tables. */

/** Adds row gradients to a table's gradient; `numbers`: the new number of each row, if the table is shortened. */
export function addTableRows(
  table: Float32Array,
  ids: Int32Array,
  numbers: Int32Array | undefined,
  values: Float32Array,
  width: number,
  paddingIdx: number | undefined,
): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] ?? 0;
    if (id === paddingIdx) continue;
    const to = (numbers ? numbers[id] ?? 0 : id) * width;
    const from = i * width;
    for (let j = 0; j < width; j++) table[to + j] = (table[to + j] ?? 0) + (values[from + j] ?? 0);
  }
}

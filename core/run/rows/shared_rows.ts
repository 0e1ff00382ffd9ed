/** Opened rows that several runs of a process share, so that results computed from them are computed once. */
import type { Rows } from "../../types.ts";

/** Returns the result of `make`, or the result that was made under the same key before. */
export type Once = <T>(key: string, make: () => Promise<T>) => Promise<T>;

const sharing = new WeakMap<Rows, Once>();

/** Marks rows as shared: results computed from them are kept by `once`. Returns the same rows. */
export function shareRows(rows: Rows, once: Once): Rows {
  sharing.set(rows, once);
  return rows;
}

/** Computes something from rows: once per key if the rows are shared, otherwise each time. */
export async function madeOf<T>(rows: Rows, key: string | undefined, make: () => Promise<T>): Promise<T> {
  const once = sharing.get(rows);
  return await (once && key !== undefined ? once(key, make) : make());
}

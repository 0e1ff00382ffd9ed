/** Opened rows that several runs of a process have in common: what is made of them is made once. */
import type { Rows } from "../../types.ts";

/** Makes something, or gives what was made under this key before. */
export type Once = <T>(key: string, make: () => Promise<T>) => Promise<T>;

const sharing = new WeakMap<Rows, Once>();

/** The same rows, of which it is known from now on who keeps what is made of them. */
export function shareRows(rows: Rows, once: Once): Rows {
  sharing.set(rows, once);
  return rows;
}

/** Computes something from rows: once per key if several runs share these rows, or else each time. */
export async function madeOf<T>(rows: Rows, key: string | undefined, make: () => Promise<T>): Promise<T> {
  const once = sharing.get(rows);
  return await (once && key !== undefined ? once(key, make) : make());
}

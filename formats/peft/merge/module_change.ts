/** The changes that an adapter makes to one module of a base. */
import type { OpenedAdapter } from "./config.ts";
import type { Rows } from "./stored_rows.ts";

/** The change of one matrix or bias, a block of rows at a time. */
export type Change = Readonly<{
  /** Called once, when the tensor is about to be written; returns a function that changes values in place. */
  start(rows: Rows): Promise<(values: Float32Array, firstRow: number) => void>;
}>;

/** The changes of a module's weight and bias. */
export type Changes = Readonly<{ weight: Change; bias?: Change; outFeatures: number }>;

/** A module of a base, and the parts of its update. */
export type Module = Readonly<{
  path: string;
  keys: ReadonlyMap<string, string>;
  rows: number;
  columns: number;
  adapter: OpenedAdapter;
  weight: number;
}>;

/** Returns a change that updates a bias value by value. */
export function biasChange(adapter: OpenedAdapter, key: string, of: (x: number, update: number) => number): Change {
  return {
    start: async () => {
      const { data } = await adapter.read(key);
      return (values) => values.forEach((x, i) => (values[i] = of(x, data[i] ?? 0)));
    },
  };
}

/**
 * Rows given as values.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/sha256.ts";
import type { Factory, Row } from "../../core/types.ts";
import { rowsInMemory, slicedRows, splitOption } from "../../blocks/data/mod.ts";

/** Options of {@link memory}. */
export interface MemoryOptions {
  /** The rows. */
  readonly rows: readonly Row[];
  /** A part of "train" in the notation of `datasets` (`train[:10%]`); null: all rows. */
  readonly split: string | null;
}

type Input = Partial<MemoryOptions> & Pick<MemoryOptions, "rows">;

/**
 * Rows from the program or the run spec itself.
 *
 * @throws AttuneError from `open` if rows hold what JSON cannot: big integers, cycles.
 * @example
 * ```ts
 * import { memory } from "attune/data/memory";
 * console.assert(memory({ rows: [{ text: "fine", label: "good" }] }).kind === "data");
 * ```
 */
export const memory: Factory<"data", Input> = define({
  kind: "data",
  name: "memory",
  schema: v.strictObject({
    rows: v.array(v.record(v.string(), v.unknown())),
    split: splitOption,
  }),
  create: ({ rows, split }: MemoryOptions) => ({
    open: async () =>
      await slicedRows("memory", split ?? "train", {
        names: ["train"],
        open: async () => rowsInMemory(rows, await sha256(textOf(rows))),
      }),
  }),
});

function textOf(rows: readonly Row[]): string {
  try {
    return JSON.stringify(rows);
  } catch (cause) {
    throw badValue("memory", "rows", cause instanceof Error ? cause.message : cause, "rows that JSON can hold");
  }
}

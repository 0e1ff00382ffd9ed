/**
 * The first rows of a dataset.
 * @module
 */
import * as v from "valibot";
import { pluginOption } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { sha256 } from "../../core/base/sha256.ts";
import type { Cursor, Dataset, Factory, Rows } from "../../core/types.ts";
import { knownOf, rangeOfRows } from "../../blocks/data/mod.ts";

/** Options of {@link take}. */
export interface TakeOptions {
  /** The data set to take rows from. */
  readonly source: Dataset;
  /** The largest number of rows. */
  readonly limit: number;
  /** How many rows to skip first. */
  readonly skip: number;
}

type Input = Readonly<{ source: unknown; limit: number; skip?: number }>;
const count = v.pipe(v.number(), v.integer(), v.minValue(0));

/**
 * At most `limit` rows; the rest is not read.
 *
 * @example
 * ```ts
 * import { memory } from "attune/data/memory";
 * import { take } from "attune/data/take";
 * console.assert(take({ source: memory({ rows: [{ text: "a" }] }), limit: 1 }).name === "take");
 * ```
 */
export const take: Factory<"data", Input> = define({
  kind: "data",
  name: "take",
  schema: v.strictObject({
    source: pluginOption("data", "a dataset"),
    limit: count,
    skip: v.optional(count, 0),
  }) as v.GenericSchema<Input, TakeOptions>,
  create: ({ source, limit, skip }: TakeOptions) => ({
    open: async (host) => {
      const opened = await source.open(host);
      const { length } = opened;
      const told = {
        ...knownOf([opened], ["source"]),
        fingerprint: await sha256(`${opened.fingerprint} take ${skip} ${limit}`),
      };
      if (length === undefined) return { read: (from) => takeRows(opened, skip, limit, from), ...told };
      const from = Math.min(skip, length);
      return { ...await rangeOfRows(opened, from, Math.min(from + limit, length)), ...told };
    },
  }),
});

/** Yields rows of a stream up to the limit. */
async function* takeRows(
  source: Rows,
  skip: number,
  limit: number,
  from: Cursor | undefined,
): ReturnType<Rows["read"]> {
  let at = from?.at ?? 0;
  let left = from ? 0 : skip;
  for await (const { next, ...item } of at < limit ? source.read(from?.inner?.[0]) : []) {
    if (left-- > 0) continue;
    yield { ...item, next: { at: ++at, inner: [next] } };
    if (at >= limit) return;
  }
}

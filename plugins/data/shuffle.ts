/**
 * A shuffled dataset.
 * @module
 */
import * as v from "valibot";
import { pluginOption } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { sha256 } from "../../core/base/sha256.ts";
import { createRandom, permutation } from "../../core/math/random.ts";
import type { Dataset, Factory } from "../../core/types.ts";
import { openNumbered, pickedRows } from "../../blocks/data/mod.ts";

/** Options of {@link shuffle}. */
export interface ShuffleOptions {
  /** The dataset to shuffle. */
  readonly source: Dataset;
  /** Of the order. */
  readonly seed: number;
}

type Input = Readonly<{ source: unknown; seed?: number }>;

/**
 * All rows in a seeded order, which differs from that of NumPy's generator.
 *
 * @example
 * ```ts
 * import { memory } from "attune/data/memory";
 * import { shuffle } from "attune/data/shuffle";
 * console.assert(shuffle({ source: memory({ rows: [] }), seed: 1 }).name === "shuffle");
 * ```
 */
export const shuffle: Factory<"data", Input> = define({
  kind: "data",
  name: "shuffle",
  schema: v.strictObject({
    source: pluginOption("data", "a dataset"),
    seed: v.optional(v.pipe(v.number(), v.integer()), 42),
  }) as v.GenericSchema<Input, ShuffleOptions>,
  create: ({ source, seed }: ShuffleOptions) => ({
    open: async (host) => {
      const opened = await openNumbered(source, host);
      const order = permutation(createRandom(seed).fork("shuffle"), opened.length);
      return pickedRows(opened, Uint32Array.from(order), await sha256(`${opened.fingerprint} shuffle ${seed}`));
    },
  }),
});

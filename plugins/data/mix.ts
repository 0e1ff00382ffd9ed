/**
 * Several datasets mixed in given proportions.
 * @module
 */
import * as v from "valibot";
import { knownOf } from "../../blocks/data/mod.ts";
import { pluginOption } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { AttuneError } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/sha256.ts";
import { createRandom } from "../../core/math/random.ts";
import type { Cursor, Dataset, Factory, Row, Rows } from "../../core/types.ts";

/** Options of {@link mix}. */
export interface MixOptions {
  /** The data sets to mix. */
  readonly sources: readonly Dataset[];
  /** How likely each source is, in proportion; null: all equally. */
  readonly probabilities: readonly number[] | null;
  /** When to stop: as soon as one source has ended, or when every source has given all of its rows at least once. */
  readonly stoppingStrategy: "first_exhausted" | "all_exhausted";
  /** The seed of the draws. */
  readonly seed: number;
}

type Input = Readonly<{
  sources: readonly unknown[];
  probabilities?: readonly number[] | null;
  stoppingStrategy?: MixOptions["stoppingStrategy"];
  seed?: number;
}>;

/**
 * Rows of several sources in a seeded order, like `datasets.interleave_datasets` with probabilities: each row comes
 * from a randomly drawn source. A source that has ended starts again while others still have rows. Streams are mixed as
 * they come.
 *
 * @throws AttuneError from reading if a source has no rows.
 * @example
 * ```ts
 * import { memory } from "attune/data/memory";
 * import { mix } from "attune/data/mix";
 * const sources = [memory({ rows: [{ text: "a" }] }), memory({ rows: [{ text: "b" }] })];
 * console.assert(mix({ sources, probabilities: [3, 1] }).name === "mix");
 * ```
 */
export const mix: Factory<"data", Input> = define({
  kind: "data",
  name: "mix",
  schema: v.pipe(
    v.strictObject({
      sources: v.pipe(v.array(pluginOption("data", "a dataset")), v.minLength(1)),
      probabilities: v.optional(v.nullable(v.array(v.pipe(v.number(), v.gtValue(0)))), null),
      stoppingStrategy: v.optional(v.picklist(["first_exhausted", "all_exhausted"]), "first_exhausted"),
      seed: v.optional(v.pipe(v.number(), v.integer()), 42),
    }),
    v.check(
      ({ sources, probabilities }) => probabilities === null || probabilities.length === sources.length,
      "as many probabilities as sources",
    ),
  ) as v.GenericSchema<Input, MixOptions>,
  create: (options: MixOptions) => ({
    open: async (host) => {
      const sources: Rows[] = [];
      for (const source of options.sources) sources.push(await source.open(host));
      const { probabilities, stoppingStrategy, seed } = options;
      const parts = [...sources.map((s) => s.fingerprint), probabilities, stoppingStrategy, seed];
      const fingerprint = await sha256(JSON.stringify(["mix", ...parts]));
      const known = knownOf(sources, sources.map((_, i) => `sources.${i}`));
      return { fingerprint, ...known, read: (from) => mixed(sources, options, from) };
    },
  }),
});

/**
 * Yields mixed rows. In a cursor, `at` is the number of rows so far; `inner` has for each source its cursor, and one
 * whose `at` is the number of its rounds.
 */
async function* mixed(
  sources: readonly Rows[],
  { probabilities, stoppingStrategy, seed }: MixOptions,
  from: Cursor | undefined,
): AsyncIterable<Readonly<{ row: Row; next: Cursor }>> {
  const random = createRandom(seed).fork("mix");
  const weights = probabilities ?? sources.map(() => 1);
  const total = weights.reduce((a, b) => a + b, 0);
  const turnOf = (n: number): number => {
    let left = random.uniform(n) * total;
    const source = weights.findIndex((weight) => (left -= weight) < 0);
    return source >= 0 ? source : weights.length - 1;
  };
  const cursors: (Cursor | undefined)[] = sources.map((_, i) => from?.inner?.[2 * i]?.inner?.[0]);
  // How often each source has been restarted.
  const rounds = sources.map((_, i) => from?.inner?.[2 * i + 1]?.at ?? 0);
  const readers = sources.map((source, i) => source.read(cursors[i])[Symbol.asyncIterator]());
  const ended = (): boolean =>
    stoppingStrategy === "first_exhausted" ? rounds.some((n) => n > 0) : rounds.every((n) => n > 0);
  // To know whether a source is exhausted, one row is read ahead.
  const ahead: (Readonly<{ row: Row; next: Cursor }> | undefined)[] = [];
  const advance = async (i: number): Promise<void> => {
    let next = await readers[i]?.next();
    if (next?.done) {
      rounds[i] = (rounds[i] ?? 0) + 1;
      cursors[i] = undefined;
      readers[i] = (sources[i] as Rows).read()[Symbol.asyncIterator]();
      next = await readers[i]?.next();
      if (next?.done) throw new AttuneError(`Source ${i} has no rows`, { code: "EMPTY_DATA", plugin: "mix", found: i });
    }
    ahead[i] = next?.value;
  };
  for (let i = 0; i < sources.length; i++) await advance(i);
  for (let at = from?.at ?? 0; !ended(); at++) {
    const i = turnOf(at);
    const { row, next } = ahead[i] as Readonly<{ row: Row; next: Cursor }>;
    cursors[i] = next;
    await advance(i);
    const inner = sources.flatMap((_, k): Cursor[] => [
      { at: 0, ...(cursors[k] ? { inner: [cursors[k]] } : {}) },
      { at: rounds[k] ?? 0 },
    ]);
    yield { row, next: { at: at + 1, inner } };
  }
  for (const reader of readers) await reader.return?.();
}

/**
 * Pairs of labelled rows: alike where their labels are the same.
 * @module
 */
import * as v from "valibot";
import { pluginOption } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/sha256.ts";
import { createRandom, permutation } from "../../core/math/random.ts";
import type { Dataset, Factory, Row } from "../../core/types.ts";
import { allRows, knownOf, rowsInMemory } from "../../blocks/data/mod.ts";

/** Options of {@link pairs}. */
export interface PairsOptions {
  /** Rows with `text` and `label`. */
  readonly source: Dataset;
  /**
   * How many pairs of each kind: as many as of the more frequent kind, repeating the other; as many as of the rarer
   * kind; or every pair once.
   */
  readonly samplingStrategy: "oversampling" | "undersampling" | "unique";
  /** The largest number of pairs; null: no limit. */
  readonly maxPairs: number | null;
  /** Of the order. */
  readonly seed: number;
  /** Names of the columns, if they differ. */
  readonly columns: Readonly<Record<string, string>>;
}

type Input = Readonly<{ source: unknown }> & Partial<Omit<PairsOptions, "source">>;

/**
 * `text`, `textPair` and `score`, 1 for two rows of one label and 0 for two of different ones, in a seeded order: what
 * SetFit's contrastive stage learns from (Tunstall et al. 2022). As there, a row also pairs with itself.
 *
 * @throws AttuneError from `open` where a row has no text or label, or all have the same.
 * @example
 * ```ts
 * import { memory } from "attune/data/memory";
 * import { pairs } from "attune/data/pairs";
 * const rows = [{ text: "fine", label: "good" }, { text: "poor", label: "bad" }];
 * console.assert(pairs({ source: memory({ rows }) }).name === "pairs");
 * ```
 */
export const pairs: Factory<"data", Input> = define({
  kind: "data",
  name: "pairs",
  schema: v.strictObject({
    source: pluginOption("data", "a dataset"),
    samplingStrategy: v.optional(v.picklist(["oversampling", "undersampling", "unique"]), "oversampling"),
    maxPairs: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1))), null),
    seed: v.optional(v.pipe(v.number(), v.integer()), 42),
    columns: v.optional(v.record(v.string(), v.string()), {}),
  }) as v.GenericSchema<Input, PairsOptions>,
  create: ({ source, ...options }: PairsOptions) => ({
    open: async (host) => {
      const opened = await source.open(host);
      const made = pairsOf(await allRows(opened), options);
      const fingerprint = await sha256(`${opened.fingerprint} pairs ${JSON.stringify(options)}`);
      // Their columns are others.
      const { classes: _, ...known } = knownOf([opened], ["source"]);
      return { ...rowsInMemory(made, fingerprint), ...known };
    },
  }),
});

function pairsOf(
  rows: readonly Row[],
  { samplingStrategy, maxPairs, seed, columns }: Omit<PairsOptions, "source">,
): Row[] {
  const read = (row: Row, index: number, name: string): unknown => {
    const value = row[columns[name] ?? name];
    if (value !== undefined) return value;
    throw badValue("pairs", `row ${index}`, Object.keys(row), `a column "${columns[name] ?? name}"`);
  };
  const texts = rows.map((row, i) => read(row, i, "text"));
  const labels = rows.map((row, i) => JSON.stringify(read(row, i, "label")));
  const all = rows.flatMap((_, a) => rows.slice(a).map((_, more) => [a, a + more] as const));
  const random = createRandom(seed).fork("pairs");
  const mixed = <T>(list: readonly T[], name: string): T[] =>
    [...permutation(random.fork(name), list.length)].map((i) => list[i] as T);
  const alike = mixed(all.filter(([a, b]) => labels[a] === labels[b]), "alike");
  const unlike = mixed(all.filter(([a, b]) => labels[a] !== labels[b]), "unlike");
  if (unlike.length === 0) throw badValue("pairs", "label", [...new Set(labels)], "rows of two labels at least");
  const [more, fewer] = [Math.max(alike.length, unlike.length), Math.min(alike.length, unlike.length)];
  const half = maxPairs === null ? Infinity : Math.ceil(maxPairs / 2);
  const takePairs = <T>(list: readonly T[]): T[] => {
    const count = samplingStrategy === "unique" ? list.length : samplingStrategy === "oversampling" ? more : fewer;
    return Array.from({ length: Math.min(count, half) }, (_, i) => list[i % list.length] as T);
  };
  const row = ([a, b]: readonly [number, number], score: number): Row => ({
    text: texts[a],
    textPair: texts[b],
    score,
  });
  const made = [...takePairs(alike).map((pair) => row(pair, 1)), ...takePairs(unlike).map((pair) => row(pair, 0))];
  return mixed(made, "order").slice(0, maxPairs ?? undefined);
}

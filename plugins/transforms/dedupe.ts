/**
 * Removes duplicate rows.
 * @module
 */
import * as v from "valibot";
import {
  bandsFor,
  columnOf,
  exactClusters,
  nearClusters,
  type NearOptions,
  textColumns,
  textIn,
} from "../../blocks/transform/mod.ts";
import { columnsIn, valuesIn, valuesOf } from "../../core/data/compared_rows.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory, TransformContext, TransformRow } from "../../core/types.ts";

/** Options of {@link dedupe}. */
export interface DedupeOptions extends NearOptions {
  /** The columns to compare; null: all that the task reads, or for near-duplicates, all of its texts. */
  readonly columns: readonly string[] | null;
  /** Whether similar texts count as duplicates, too. */
  readonly near: boolean;
  /** The Jaccard similarity of shingles from which texts count as similar. */
  readonly threshold: number;
  /** The number of words in a shingle. */
  readonly ngram: number;
  /** The number of hash functions in a signature. */
  readonly permutations: number;
  /** The number of bands of a signature, one of which candidates share; null: from the threshold. */
  readonly bands: number | null;
  /** The number of values in a band; null: from the threshold. */
  readonly rows: number | null;
  /** Which row of a cluster to keep: the first, or the one with the longest text. */
  readonly keep: "first" | "longest";
}

type Input = Partial<DedupeOptions>;

const positiveInteger = v.pipe(v.number(), v.integer(), v.minValue(1));
const NAME = "dedupe";

/**
 * Rows without duplicates of earlier rows, or with `near`, without near-duplicates: MinHash finds candidates, each of
 * which is compared exactly. Memory is some thirty bytes per row, and at most 256 MiB each of keys and of rows that others
 * are compared with; with more rows, the bands and the rows with candidates are processed in parts.
 *
 * @throws AttuneError if bands and rows want more permutations than there are, or a column is missing.
 * @example
 * ```ts
 * import { dedupe } from "attune/transforms/dedupe";
 * console.assert(dedupe({ near: true, threshold: 0.7 }).scope === "choice");
 * ```
 */
export const dedupe: Factory<"transform", Input> = define({
  kind: "transform",
  name: NAME,
  schema: v.strictObject({
    columns: v.optional(v.nullable(v.pipe(v.array(v.string()), v.minLength(1))), null),
    near: v.optional(v.boolean(), false),
    threshold: v.optional(v.pipe(v.number(), v.gtValue(0), v.maxValue(1)), 0.8),
    ngram: v.optional(v.pipe(positiveInteger, v.maxValue(100)), 3),
    permutations: v.optional(v.pipe(positiveInteger, v.maxValue(4096)), 256),
    bands: v.optional(v.nullable(positiveInteger), null),
    rows: v.optional(v.nullable(positiveInteger), null),
    keep: v.optional(v.picklist(["first", "longest"]), "first"),
  }),
  create: (options: DedupeOptions) => {
    if (options.near) bandsFor(NAME, options);
    return {
      scope: "choice",
      survey: (rows, context) => fatesOf(rows, options, context),
      apply: async function* (rows, context, seen) {
        const fates = seen as Uint8Array;
        let at = 0;
        for await (const item of rows) {
          const fate = fates[at++] ?? STAYS;
          if (fate === STAYS) yield item;
          else context.note(item, "dropped", fate === EXACT ? "duplicate" : "near duplicate");
        }
      },
    };
  },
});

/** What happens to a row. */
const [STAYS, EXACT, NEAR] = [0, 1, 2];

async function fatesOf(
  rows: AsyncIterable<TransformRow>,
  options: DedupeOptions,
  context: TransformContext,
): Promise<Uint8Array> {
  const { near, columns, keep } = options;
  const read = columns ?? (near ? textColumns(NAME, null, context) : columnsIn(context.columns));
  const texts = through(rows, (item) => (near ? textOf : allOf)(item, read, columns !== null));
  const exact = await exactClusters(texts);
  const { first } = near ? await nearClusters(NAME, texts, options) : exact;
  const survivor = keep === "first"
    ? first
    : await longestOf(first, through(rows, (item) => textOf(item, read, columns !== null)));
  return Uint8Array.from(first, (cluster, row) => {
    if (survivor[cluster] === row) return STAYS;
    return exact.first[row] === exact.first[survivor[cluster] ?? 0] ? EXACT : NEAR;
  });
}

/** Returns the longest row of each cluster, by the number of the cluster's first row. */
async function longestOf(first: Uint32Array, texts: AsyncIterable<string>): Promise<Uint32Array> {
  const earliest = first.slice();
  const lengths = new Float64Array(first.length).fill(-1);
  let row = 0;
  for await (const text of texts) {
    const cluster = first[row] ?? row;
    if (text.length > (lengths[cluster] ?? 0)) [lengths[cluster], earliest[cluster]] = [text.length, row];
    row++;
  }
  return earliest;
}

/** Returns all values to compare, as one text. */
function allOf(item: TransformRow, columns: readonly string[] | null, isNamed: boolean): string {
  return isNamed ? valuesOf(item.row, namesIn(item, columns, isNamed)) : valuesIn(item.row, columns);
}

/** Returns the text to compare. */
function textOf(item: TransformRow, columns: readonly string[] | null, given: boolean): string {
  return namesIn(item, columns, given).map((name) => textIn(item.row[name])).join("\n");
}

/**
 * Returns the columns to compare. Columns in the options must exist; of the task's columns rows may lack some, and a
 * row without any is compared as a whole.
 */
function namesIn(item: TransformRow, columns: readonly string[] | null, given: boolean): readonly string[] {
  if (given) { for (const name of columns ?? []) columnOf(NAME, item, name); }
  return columns?.some((name) => Object.hasOwn(item.row, name)) ? columns : Object.keys(item.row).sort();
}

function through<T>(rows: AsyncIterable<TransformRow>, change: (item: TransformRow) => T): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: async function* () {
      for await (const item of rows) yield change(item);
    },
  };
}

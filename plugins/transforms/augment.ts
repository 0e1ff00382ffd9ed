/**
 * Additional training rows with slightly changed texts.
 * @module
 */
import * as v from "valibot";
import {
  type AugmentMethod,
  augmentMethods,
  augmentRow,
  checkColumns,
  drawsFrom,
  type Filler,
  openFiller,
  openSynonyms,
  openTranslator,
  type Synonyms,
} from "../../blocks/transform/mod.ts";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import type { Factory, Row, RowColumns, TransformContext, TransformRow } from "../../core/types.ts";

/** Options of {@link augment}. */
export interface AugmentOptions {
  /** How texts are changed; each new row uses one of these. */
  readonly methods: readonly AugmentMethod[];
  /** The share of words that change. */
  readonly alpha: number;
  /** New rows for each row. */
  readonly perRow: number;
  /** For `mask`: the folder of a run of masked-lm, which fills in words. */
  readonly model: string | null;
  /** For `back-translate`: the folders of two runs of seq2seq-lm, into another language and back. */
  readonly models: readonly string[] | null;
  /** The columns whose texts change. null: the task's columns, except those it learns to predict. */
  readonly columns: readonly string[] | null;
}

type Input = Partial<AugmentOptions>;
const folder = role(v.pipe(v.string(), v.nonEmpty()), { role: "path" });

const NAME = "augment";

/** How often to try a method, since its result may exist already. */
const TRIES = 5;

/**
 * Training rows, each followed by `perRow` new ones with the same label: synonyms from WordNet in the same inflection,
 * inserted synonyms, swapped or deleted words, as in EDA (Wei and Zou 2019); typos; words from a masked language model;
 * or back-translation. Case, punctuation and negations ("not") stay. Answers and entities are not changed, and the
 * positions of answers are adjusted.
 *
 * @throws AttuneError if WordNet or a model is missing.
 * @example
 * ```ts
 * import { augment } from "attune/transforms/augment";
 * console.assert(augment({ methods: ["swap", "typo"], perRow: 2 }).trainOnly === true);
 * ```
 */
export const augment: Factory<"transform", Input> = define({
  kind: "transform",
  name: NAME,
  schema: v.pipe(
    v.strictObject({
      methods: v.optional(
        v.pipe(v.array(v.picklist(augmentMethods)), v.minLength(1)),
        ["synonym", "insert", "swap", "delete"],
      ),
      alpha: v.optional(v.pipe(v.number(), v.gtValue(0), v.maxValue(1)), 0.1),
      perRow: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100)), 1),
      model: v.optional(v.nullable(folder), null),
      models: v.optional(v.nullable(v.pipe(v.array(folder), v.length(2))), null),
      columns: v.optional(v.nullable(role(v.array(v.string()), { role: "column" })), null),
    }),
    v.check(({ methods, model }) => !methods.includes("mask") || model !== null, '`model` for the method "mask"'),
    v.check(
      ({ methods, models }) => !methods.includes("back-translate") || models !== null,
      '`models` for the method "back-translate"',
    ),
  ) as v.GenericSchema<Input, AugmentOptions>,
  create: (options: AugmentOptions) => ({
    scope: "whole",
    trainOnly: true,
    apply: (rows, context) => augmented(rows, context, options),
  }),
});

async function* augmented(
  rows: AsyncIterable<TransformRow>,
  context: TransformContext,
  options: AugmentOptions,
): AsyncIterable<TransformRow> {
  const { methods, alpha, perRow } = options;
  const places: RowColumns = { ...context.columns, texts: inputColumns(options, context) };
  const wantsWords = methods.includes("synonym") || methods.includes("insert");
  const synonyms: Synonyms = wantsWords ? await openSynonyms(NAME, context.host) : () => [];
  const fill: Filler | undefined = methods.includes("mask")
    ? await openFiller(NAME, context.host, options.model ?? "")
    : undefined;
  const translate = methods.includes("back-translate")
    ? await openTranslator(NAME, context.host, options.models ?? [])
    : undefined;
  try {
    let number = 0;
    for await (const item of rows) {
      checkColumns(NAME, item, options.columns);
      yield item;
      const draws = drawsFrom(context.random.fork("row", number++));
      const seen = new Set([JSON.stringify(item.row)]);
      const order = draws.shuffled(methods);
      for (let k = 0; k < perRow; k++) {
        // If a method yields nothing new for a row, the next one is tried.
        for (let tries = 0; tries < TRIES * order.length; tries++) {
          const method = order[(k + Math.floor(tries / TRIES)) % order.length] ?? "swap";
          const row: Row = await augmentRow(NAME, item, places, { method, alpha, draws, synonyms, fill, translate });
          const key = JSON.stringify(row);
          if (seen.has(key)) continue;
          seen.add(key);
          context.note(item, "added", method);
          yield { ...item, row };
          break;
        }
      }
    }
  } finally {
    await fill?.close();
    await translate?.close();
  }
}

function inputColumns({ columns }: AugmentOptions, { columns: known }: TransformContext): readonly string[] {
  const chosen = columns ?? known?.texts.filter((name) => !known.learned?.includes(name));
  if (chosen && chosen.length > 0) return chosen;
  throw badValue(NAME, "columns", columns, "names of columns, because no task says which of its texts may change");
}

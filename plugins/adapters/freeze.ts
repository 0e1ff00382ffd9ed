/**
 * Partial fine-tuning: everything is frozen but the last layers and the head.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { badValue } from "../../core/base/errors.ts";
import { most } from "../../core/base/most.ts";
import type { Factory, InspectedBackbone } from "../../core/types.ts";

/** Options of {@link freeze}. */
export interface FreezeOptions {
  /** How many of the last layers to train; 0 trains only the head. */
  readonly trainLastLayers: number;
  /** Whether to train the embeddings, too. */
  readonly trainEmbeddings: boolean;
}

/**
 * Trains the last layers, everything after them, and the head. There is no backward pass below the lowest of them.
 *
 * @throws AttuneError on attaching if the model has fewer layers.
 * @example
 * ```ts
 * import { freeze } from "attune/adapters/freeze";
 * console.assert(freeze({ trainLastLayers: 2 }).name === "freeze");
 * ```
 */
export const freeze: Factory<"adapter", Partial<FreezeOptions>> = define({
  kind: "adapter",
  name: "freeze",
  schema: v.strictObject({
    trainLastLayers: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(most.layers)), 0),
    trainEmbeddings: v.optional(v.boolean(), false),
  }),
  create: ({ trainLastLayers, trainEmbeddings }: FreezeOptions) => ({
    attach: (backbone) => {
      const count = backbone.layers.length;
      if (trainLastLayers > count) {
        throw badValue("freeze", "adapter.with.trainLastLayers", trainLastLayers, `at most ${count} layers`);
      }
      const frozen = backbone.layers.slice(0, count - trainLastLayers);
      const trained = new Set(backbone.layers.slice(count - trainLastLayers));
      const isEmbedding = embeddingsOf(backbone);
      return {
        isTrainable: (name) => {
          if ([...trained].some((path) => name.startsWith(`${path}.`))) return true;
          if (frozen.some((path) => name.startsWith(`${path}.`))) return false;
          if (isEmbedding(name)) return trainEmbeddings;
          // Modules between the embeddings and the first layer count as embeddings.
          if (/embeddings_project|embedding_hidden_mapping_in|layernorm_embedding/.test(name)) return trainEmbeddings;
          return true;
        },
      };
    },
  }),
});

/** Returns a test for parameters of embeddings: their tables, and everything in their module if they have one. */
function embeddingsOf({ wordEmbeddings, embeddings, layers }: InspectedBackbone): (name: string) => boolean {
  const parent = wordEmbeddings.slice(0, wordEmbeddings.lastIndexOf(".") + 1);
  const modules = [
    ...[wordEmbeddings, ...embeddings].map((path) => `${path}.`),
    ...layers.some((path) => path.startsWith(parent)) ? [] : [parent],
  ];
  return (name) => modules.some((prefix) => name.startsWith(prefix));
}

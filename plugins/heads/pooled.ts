/**
 * A linear classifier on sentence embeddings.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { most } from "../../core/base/most.ts";
import type { Factory } from "../../core/types.ts";
import { pooledStates, unitLength } from "../../blocks/head/mod.ts";

/** Options of {@link pooled}. */
export interface PooledOptions {
  /** Number of outputs. */
  readonly numLabels: number;
  /** The mean over the tokens of a sequence, or the state of its first token. */
  readonly pooling: "mean" | "first";
  /** Whether to normalize embeddings to length 1. */
  readonly normalize: boolean;
}

type Input = Readonly<{ numLabels: number; pooling?: "mean" | "first"; normalize?: boolean }>;

/**
 * Logits [sequences, numLabels] = W u + b on a sentence's embedding u, both initialized with zeros; over a frozen
 * encoder this is logistic regression, the second stage of SetFit.
 *
 * @example
 * ```ts
 * import { pooled } from "attune/heads/pooled";
 * console.assert(pooled({ numLabels: 2 }).modulesToSave[0] === "classifier");
 * ```
 */
export const pooled: Factory<"head", Input> = define({
  kind: "head",
  name: "pooled",
  schema: v.strictObject({
    numLabels: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.labels)),
    pooling: v.optional(v.picklist(["mean", "first"]), "mean"),
    normalize: v.optional(v.boolean(), true),
  }),
  create: ({ numLabels, pooling, normalize }: PooledOptions) => ({
    modulesToSave: ["classifier"],
    readsEncoder: true,
    forward: (b, states) => {
      const state = pooledStates(b, states.encoder ?? states.hidden, pooling);
      const embedding = normalize ? unitLength(state) : state;
      return { logits: b.linear("classifier", embedding, { outFeatures: numLabels, init: "zeros" }) };
    },
  }),
});

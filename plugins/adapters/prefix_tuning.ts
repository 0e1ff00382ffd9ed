/**
 * Prefix tuning: learned keys and values, prepended in every layer.
 * @module
 */
import * as v from "valibot";
import type { Factory, GraphBuilder, Value } from "../../core/types.ts";
import {
  definePeft,
  encodeRows,
  hiddenSize,
  mlp,
  numVirtualTokens,
  prefixAdapter,
  prefixedLayers,
  savedEntries,
  type SavedOptions,
  savedVectors,
  sizesOfModel,
} from "../../blocks/adapter/mod.ts";

/** Options of {@link prefixTuning}, PEFT's PrefixTuningConfig in camelCase. */
export interface PrefixTuningOptions extends SavedOptions {
  /** The number of keys and values that are prepended. */
  readonly numVirtualTokens: number;
  /** Whether they are computed from a smaller table, by two linear layers with tanh between them. */
  readonly prefixProjection: boolean;
  /** Width between those layers; null: the width of the keys of all heads. */
  readonly encoderHiddenSize: number | null;
  /** "zero": the prefix starts with zeros; null: with random values. */
  readonly initWeights: "zero" | null;
  /**
   * The folder of an adapter saved by PEFT, to continue training it; its config replaces the options above. A file
   * contains the projection's output, not the projection, so keys and values themselves are trained from there.
   */
  readonly from: string | null;
}

const parts = ["prompt_encoder.transform.0", "prompt_encoder.transform.2"];
const table = "prompt_encoder.embedding.weight";

/**
 * softmax(q [Pk; k]ᵀ) [Pv; v] in every layer, with Pk and Pv trained and the model frozen (Li & Liang 2021). Every
 * token sees the prefix; positions of the tokens start after it.
 *
 * In encoder-decoder models, only the decoder's self-attention has the prefix.
 *
 * @throws AttuneError on attaching if layers share their weights.
 * @example
 * ```ts
 * import { prefixTuning } from "attune/adapters/prefix-tuning";
 * console.assert(prefixTuning({ numVirtualTokens: 4 }).name === "prefix-tuning");
 * ```
 */
export const prefixTuning: Factory<"adapter", Partial<PrefixTuningOptions>> = definePeft<PrefixTuningOptions>({
  name: "prefix-tuning",
  type: "PREFIX_TUNING",
  prefix: "base_model.",
  schema: v.strictObject({
    numVirtualTokens,
    prefixProjection: v.optional(v.boolean(), false),
    encoderHiddenSize: hiddenSize,
    initWeights: v.optional(v.nullable(v.literal("zero")), null),
    ...savedEntries,
  }),
  ignoredFields: sizesOfModel,
  attach: (o, backbone, context, saved) => {
    const { numVirtualTokens: count } = o;
    const tokenDim = backbone.numKeyValueHeads * backbone.headDim;
    const hidden = o.encoderHiddenSize ?? tokenDim;
    const projects = o.prefixProjection && !saved;
    const init = o.initWeights === "zero" ? "zeros" as const : { normal: 1 };
    const prefix = (b: GraphBuilder, width: number): Value => {
      if (!projects) return b.parameter("prompt_embeddings", [count, width], init);
      const x = b.parameter(table, [count, tokenDim], { normal: 1 });
      return mlp(b, x, parts, [hidden, width], "tanh", o.initWeights === "zero");
    };
    return {
      ...prefixAdapter("prefix-tuning", backbone, count, prefix),
      ...savedVectors(
        "PREFIX_TUNING",
        o,
        backbone,
        context,
        saved,
        () => ({
          numVirtualTokens: count,
          initWeights: o.initWeights,
          // With true, PEFT would create a new projection, which the file cannot fill.
          prefixProjection: false,
          encoderHiddenSize: hidden,
          tokenDim,
          numLayers: prefixedLayers("prefix-tuning", backbone).count,
          numAttentionHeads: backbone.numKeyValueHeads,
        }),
        projects ? (read) => encodeRows(read, table, parts, "tanh") : undefined,
      ),
    };
  },
});

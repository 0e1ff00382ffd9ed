/**
 * Prefix tuning: learned keys and values in front of those of every layer.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import type { AttachContext, Attached, Factory, Trunk, Weights } from "../../core/types.ts";
import { continued, peftConfig, savedModules } from "./peft.ts";
import { prefixAdapter } from "./prompts.ts";

/** Options of {@link prefixTuning}, PEFT's PrefixTuningConfig in camelCase. */
export interface PrefixTuningOptions {
  /** How many keys and values stand in front. */
  readonly numVirtualTokens: number;
  /** "zero": they start as zeros; null: as normals. */
  readonly initWeights: "zero" | null;
  /** Modules that train whole; null: the task's own head. */
  readonly modulesToSave: readonly string[] | null;
  /** Directory of an adapter saved by PEFT to continue; its config replaces the options above. */
  readonly from: string | null;
}

const entries = {
  numVirtualTokens: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 8),
  initWeights: v.optional(v.nullable(v.literal("zero")), null),
  modulesToSave: v.optional(v.nullable(v.array(v.string())), null),
  from: v.optional(v.nullable(v.string()), null),
};

/** Schema of {@link PrefixTuningOptions}. */
export const prefixTuningSchema: v.GenericSchema<Partial<PrefixTuningOptions>, PrefixTuningOptions> = v.strictObject(
  entries,
);

/**
 * softmax(q [Pk; k]ᵀ) [Pv; v] in every layer, Pk and Pv trained and the model frozen (Li & Liang 2021). Every token sees
 * the prefix; positions of the tokens start behind it.
 *
 * @throws AttuneError on attaching where layers share their weights, or in encoder-decoder models.
 * @example
 * ```ts
 * import { prefixTuning } from "attune/adapters/prefix-tuning";
 * console.assert(prefixTuning({ numVirtualTokens: 4 }).name === "prefix-tuning");
 * ```
 */
export const prefixTuning: Factory<"adapter", Partial<PrefixTuningOptions>> = define({
  kind: "adapter",
  name: "prefix-tuning",
  schema: prefixTuningSchema,
  create: (options) =>
    continued(
      {
        name: "prefix-tuning",
        type: "PREFIX_TUNING",
        prefix: "base_model.",
        schema: prefixTuningSchema,
        names: Object.keys(entries),
        harmless: [
          "encoder_hidden_size",
          "num_attention_heads",
          "num_layers",
          "num_transformer_submodules",
          "token_dim",
          // A file holds what the projection made of its prefix, never the projection.
          "prefix_projection",
        ],
      },
      options,
      attach,
    ),
});

function attach(o: PrefixTuningOptions, trunk: Trunk, context: AttachContext, saved?: Weights): Attached {
  const saves = savedModules(o.modulesToSave, context.modules);
  const { numVirtualTokens: count } = o;
  const init = o.initWeights === "zero" ? "zeros" as const : { normal: 1 };
  return {
    ...prefixAdapter(
      "prefix-tuning",
      trunk,
      count,
      context.task,
      (b, width) => b.parameter("prompt_embeddings", [count, width], init),
    ),
    trains: saves.trains,
    weights: saved,
    peft: {
      config: peftConfig("PREFIX_TUNING", {
        numVirtualTokens: count,
        initWeights: o.initWeights,
        modulesToSave: saves.names,
        prefixProjection: false,
        encoderHiddenSize: trunk.hiddenSize,
        tokenDim: trunk.numKeyValueHeads * trunk.headDim,
        numLayers: trunk.layers.length,
        numAttentionHeads: trunk.numKeyValueHeads,
        numTransformerSubmodules: 1,
      }, context.task),
      key: (name) => (name === "prompt_embeddings" ? name : `base_model.${name}`),
    },
  };
}

/**
 * P-tuning: virtual tokens whose embeddings a small network makes.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { unsupported } from "../../core/base/errors.ts";
import type {
  AttachContext,
  AttachedAdapter,
  Factory,
  GraphBuilder,
  InspectedBackbone,
  Value,
  Weights,
} from "../../core/types.ts";
import { hiddenSize, numVirtualTokens, savedEntries, savedVectors, sizesOfModel } from "./prompt_record.ts";
import { encodeRows, mlp, promptAdapter, submodules } from "./prompts.ts";
import { readPeft } from "../../formats/peft/read.ts";
import { loadable } from "./loadable.ts";

/** Options of {@link pTuning}, PEFT's PromptEncoderConfig in camelCase. */
export interface PTuningOptions {
  /** How many virtual tokens stand in front. */
  readonly numVirtualTokens: number;
  /** The network: three linear layers with ReLU between. "LSTM" is read from files, which hold only what it made. */
  readonly encoderReparameterizationType: "MLP" | "LSTM";
  /** Width of its hidden layers; null: the model's. */
  readonly encoderHiddenSize: number | null;
  /** Modules that train whole; null: the task's own head. */
  readonly modulesToSave: readonly string[] | null;
  /**
   * Directory of an adapter saved by PEFT to continue; its config replaces the options above. A file holds what the
   * network made and not the network: from there the embeddings themselves train.
   */
  readonly from: string | null;
}

const entries = {
  numVirtualTokens,
  encoderReparameterizationType: v.optional(v.picklist(["MLP", "LSTM"]), "MLP"),
  encoderHiddenSize: hiddenSize,
  ...savedEntries,
};

/** Schema of {@link PTuningOptions}. */
export const pTuningSchema: v.GenericSchema<Partial<PTuningOptions>, PTuningOptions> = v.strictObject(entries);

const parts = ["mlp_head.0", "mlp_head.2", "mlp_head.4"].map((name) => `prompt_encoder.${name}`);
const table = "prompt_encoder.embedding.weight";

/**
 * [MLP(P); E(x)] in place of E(x), P and the MLP trained and the model frozen (Liu et al. 2021).
 *
 * @example
 * ```ts
 * import { pTuning } from "attune/adapters/p-tuning";
 * console.assert(pTuning({ numVirtualTokens: 4 }).name === "p-tuning");
 * ```
 */
export const pTuning: Factory<"adapter", Partial<PTuningOptions>> = define({
  kind: "adapter",
  name: "p-tuning",
  schema: pTuningSchema,
  create: (options) =>
    loadable(
      readPeft({
        name: "p-tuning",
        type: "P_TUNING",
        prefix: "base_model.",
        schema: pTuningSchema,
        names: Object.keys(entries),
        harmless: ["encoder_dropout", "encoder_num_layers", ...sizesOfModel],
      }),
      options,
      attach,
    ),
});

function attach(
  o: PTuningOptions,
  backbone: InspectedBackbone,
  context: AttachContext,
  saved?: Weights,
): AttachedAdapter {
  const count = o.numVirtualTokens * submodules(context.task);
  const hidden = o.encoderHiddenSize ?? backbone.hiddenSize;
  if (o.encoderReparameterizationType === "LSTM" && !saved) {
    throw unsupported(
      "p-tuning",
      "adapter.with.encoderReparameterizationType",
      "LSTM",
      "use MLP, which PEFT recommends",
    );
  }
  const prompt = (b: GraphBuilder, dim: number): Value => {
    if (saved) return b.parameter("prompt_embeddings", [count, dim], "zeros");
    return mlp(b, b.parameter(table, [count, dim], { normal: 1 }), parts, [hidden, hidden, dim], "relu");
  };
  return {
    ...promptAdapter(backbone, o.numVirtualTokens, prompt),
    ...savedVectors(
      "P_TUNING",
      o,
      backbone,
      context,
      saved,
      () => ({ ...o, encoderHiddenSize: hidden, encoderNumLayers: 2, encoderDropout: 0 }),
      saved ? undefined : (read) => encodeRows(read, table, parts, "relu"),
    ),
  };
}

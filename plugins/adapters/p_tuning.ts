/**
 * P-tuning: virtual tokens whose embeddings are the output of a small network.
 * @module
 */
import * as v from "valibot";
import { unsupported } from "../../core/base/errors.ts";
import type { Factory, GraphBuilder, Value } from "../../core/types.ts";
import {
  definePeft,
  encodeRows,
  hiddenSize,
  mlp,
  numVirtualTokens,
  promptAdapter,
  savedEntries,
  type SavedOptions,
  savedVectors,
  sizesOfModel,
  submodules,
} from "../../blocks/adapter/mod.ts";

/** Options of {@link pTuning}, PEFT's PromptEncoderConfig in camelCase. */
export interface PTuningOptions extends SavedOptions {
  /** The number of virtual tokens that are prepended. */
  readonly numVirtualTokens: number;
  /**
   * The network: three linear layers with ReLU between them. "LSTM" can only be read from files, which contain its
   * output.
   */
  readonly encoderReparameterizationType: "MLP" | "LSTM";
  /** Width of its hidden layers; null: the model's hidden size. */
  readonly encoderHiddenSize: number | null;
  /**
   * The folder of an adapter saved by PEFT, to continue training it; its config replaces the options above. A file
   * contains the network's output, not the network, so the embeddings themselves are trained from there.
   */
  readonly from: string | null;
}

const parts = ["mlp_head.0", "mlp_head.2", "mlp_head.4"].map((name) => `prompt_encoder.${name}`);
const table = "prompt_encoder.embedding.weight";

/**
 * [MLP(P); E(x)] instead of E(x), with P and the MLP trained and the model frozen (Liu et al. 2021).
 *
 * @example
 * ```ts
 * import { pTuning } from "attune/adapters/p-tuning";
 * console.assert(pTuning({ numVirtualTokens: 4 }).name === "p-tuning");
 * ```
 */
export const pTuning: Factory<"adapter", Partial<PTuningOptions>> = definePeft<PTuningOptions>({
  name: "p-tuning",
  type: "P_TUNING",
  prefix: "base_model.",
  schema: v.strictObject({
    numVirtualTokens,
    encoderReparameterizationType: v.optional(v.picklist(["MLP", "LSTM"]), "MLP"),
    encoderHiddenSize: hiddenSize,
    ...savedEntries,
  }),
  ignoredFields: ["encoder_dropout", "encoder_num_layers", ...sizesOfModel],
  attach: (o, backbone, context, saved) => {
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
  },
});

/** What adapters of learned vectors share: their options, and how PEFT saves them. */
import * as v from "valibot";
import { most } from "../../core/base/most.ts";
import type {
  AdapterRecord,
  AttachContext,
  AttachedAdapter,
  InspectedBackbone,
  Tensor,
  Weights,
} from "../../core/types.ts";
import { savedModules } from "../../formats/peft/modules_to_save.ts";
import { peftRecord } from "../../formats/peft/record.ts";
import { submodules } from "./prompts.ts";

/** Schema of the number of virtual tokens. */
export const numVirtualTokens: v.OptionalSchema<v.GenericSchema<number>, 8> = v.optional(
  v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.tokens)),
  8,
);

/** Schema of the width of the network that generates the vectors; null: the model's hidden size. */
export const hiddenSize: v.OptionalSchema<v.GenericSchema<number | null>, null> = v.optional(
  v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.width))),
  null,
);

/** Fields of PEFT's configs that repeat the model's sizes, which are known already. */
export const sizesOfModel: readonly string[] = [
  "num_attention_heads",
  "num_layers",
  "num_transformer_submodules",
  "token_dim",
];

type Saved = Pick<AttachedAdapter, "copies" | "isTrainable" | "record"> & Readonly<{ weights: Weights | undefined }>;

/**
 * Returns how an adapter is saved: the table `prompt_embeddings`, or what `table` computes with a network in its place,
 * and the modules trained whole. `config`: the saved options, without the model's sizes.
 */
export function savedVectors(
  type: string,
  options: Readonly<{ modulesToSave: readonly string[] | null }>,
  backbone: InspectedBackbone,
  context: AttachContext,
  saved: Weights | undefined,
  config: () => object,
  table?: (read: (name: string) => Promise<Tensor<Float32Array>>) => Promise<Tensor<Float32Array>>,
): Saved {
  const { copies, isTrainable, names } = savedModules(options.modulesToSave, context.modules);
  const fullConfig = (): object => ({
    tokenDim: backbone.hiddenSize,
    numLayers: backbone.layers.length,
    numAttentionHeads: backbone.numHeads,
    numTransformerSubmodules: submodules(context.task),
    ...config(),
    modulesToSave: names,
  });
  const key: AdapterRecord["key"] = (name) =>
    name === "prompt_embeddings" ? name : name.startsWith("prompt_encoder.") ? undefined : `base_model.${name}`;
  const derived = table &&
    { derived: async (read: Parameters<typeof table>[0]) => ({ prompt_embeddings: await table(read) }) };
  return { copies, isTrainable, weights: saved, record: peftRecord(type, fullConfig, context, { key, ...derived }) };
}

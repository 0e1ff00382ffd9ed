/** The files of an adapter as AdapterHub saves it: the head's stand apart. */

/** Their names. */
export const hubFiles = {
  config: "adapter_config.json",
  weights: "adapter.safetensors",
  headConfig: "head_config.json",
  headWeights: "model_head.safetensors",
} as const;

/** The files that AdapterHub saves an adapter to; a head has files of its own. */

/** Names of these files. */
export const hubFiles = {
  config: "adapter_config.json",
  weights: "adapter.safetensors",
  headConfig: "head_config.json",
  headWeights: "model_head.safetensors",
} as const;

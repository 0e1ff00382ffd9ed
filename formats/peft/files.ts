/** The files of a saved adapter. */

/** Names of these files: PEFT's, and the classes of a classifier and the folders of a run's other adapters. */
export const adapterFiles = {
  config: "adapter_config.json",
  weights: "adapter_model.safetensors",
  head: "head_config.json",
  places: "adapters.json",
} as const;

/** The files of a saved adapter. */

/** Their names: those of PEFT, and beside them the classes of its classifier and the folders of a run's other adapters. */
export const adapterFiles = {
  config: "adapter_config.json",
  weights: "adapter_model.safetensors",
  head: "head_config.json",
  places: "adapters.json",
} as const;

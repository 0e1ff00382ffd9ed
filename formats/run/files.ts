/** Files by which a folder is recognized as a model, an adapter, or a run that has produced one. */
import { MODEL_CONFIG } from "../hf/model_config.ts";
import { adapterFiles } from "../peft/files.ts";

/** Folders of a finished run. */
export const runFolders = { model: "model", adapter: "adapter" } as const;

/** Each of these files identifies what a folder contains. */
export const artifactFiles: readonly string[] = [
  MODEL_CONFIG,
  adapterFiles.config,
  `${runFolders.model}/${MODEL_CONFIG}`,
  `${runFolders.adapter}/${adapterFiles.config}`,
];

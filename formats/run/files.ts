/** The files by which a folder is a model's, an adapter's, or that of a run that has made one. */
import { MODEL_CONFIG } from "../hf/model_config.ts";
import { adapterFiles } from "../peft/files.ts";

/** Folders of a finished run. */
export const runFolders = { model: "model", adapter: "adapter" } as const;

/** Any of them says what a folder holds. */
export const artifactFiles: readonly string[] = [
  MODEL_CONFIG,
  adapterFiles.config,
  `${runFolders.model}/${MODEL_CONFIG}`,
  `${runFolders.adapter}/${adapterFiles.config}`,
];

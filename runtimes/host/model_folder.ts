/** Folders of models on this machine. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { MODEL_CONFIG } from "../../formats/hf/model_config.ts";

/** Whether a folder contains a model: a config as Hugging Face saves it, or one GGUF file. */
export function isModelFolder(folder: string): boolean {
  if (existsSync(join(folder, MODEL_CONFIG))) return true;
  const isFolder = statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true;
  return isFolder && readdirSync(folder).filter((name) => /\.gguf$/i.test(name)).length === 1;
}

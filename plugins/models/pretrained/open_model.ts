/** Opens the model in a folder: config and safetensors in Hugging Face's format, or one GGUF file. */
import { ggufIn } from "../../../core/files/gguf_folder.ts";
import { type OpenOptions, openWeights } from "../../../core/files/safetensors.ts";
import type { Checkpoint, Json, Named, Store } from "../../../core/types.ts";
import { looksPacked } from "../../../formats/packed/marks.ts";
import { checkpointOf, readConfig } from "../../../blocks/model/mod.ts";

/** How to open a model. `config`: replaces its fields; `gguf`: the file to use, if a folder has several. */
export type ModelOptions = OpenOptions & Readonly<{ config?: Named<Json>; gguf?: string | undefined }>;

/** Opens the model in a folder. Throws AttuneError if there is none, or it is damaged. */
export async function openModel(
  plugin: string,
  files: Store,
  label: string,
  { config = {}, gguf, ...how }: ModelOptions = {},
): Promise<Checkpoint> {
  const only = gguf ?? await ggufIn(files);
  if (only !== undefined) {
    // The GGUF reader is only loaded if there is such a file.
    const { ggufCheckpoint } = await import("./gguf/checkpoint.ts");
    return await ggufCheckpoint(files, only, label, config);
  }
  const whole = { ...await readConfig(plugin, files, label), ...config };
  const weights = await openWeights(files, how);
  const plain = checkpointOf({ config: whole, files, weights, label });
  if (!looksPacked(whole, weights.names)) return plain;
  // The decoder of packed weights is only loaded if there are some.
  const { openPacked } = await import("../../../formats/packed/open.ts");
  return await openPacked(plugin, plain);
}

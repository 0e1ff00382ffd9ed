/** A folder's model, opened: config and safetensors as Hugging Face saves them, or one GGUF file. */
import { ggufIn } from "../../../core/files/gguf_folder.ts";
import { type OpenOptions, openWeights } from "../../../core/files/safetensors.ts";
import type { Checkpoint, Json, Named, Store } from "../../../core/types.ts";
import { looksPacked } from "../../../formats/packed/marks.ts";
import { checkpointOf, readConfig } from "../../../blocks/model/mod.ts";

/** How a model is opened. `config`: replaces fields of its own; `gguf`: which file, where a folder has several. */
export type ModelOptions = OpenOptions & Readonly<{ config?: Named<Json>; gguf?: string | undefined }>;

/** The model of a folder. Throws AttuneError if it has none, or one that is not sound. */
export async function openModel(
  plugin: string,
  files: Store,
  label: string,
  { config = {}, gguf, ...how }: ModelOptions = {},
): Promise<Checkpoint> {
  const only = gguf ?? await ggufIn(files);
  if (only !== undefined) {
    // What reads these files is loaded where there is one.
    const { ggufCheckpoint } = await import("./gguf/checkpoint.ts");
    return await ggufCheckpoint(files, only, label, config);
  }
  const whole = { ...await readConfig(plugin, files, label), ...config };
  const weights = await openWeights(files, how);
  const plain = checkpointOf({ config: whole, files, weights, label });
  if (!looksPacked(whole, weights.names)) return plain;
  // What reads codes is loaded where there are some.
  const { openPacked } = await import("../../../formats/packed/open.ts");
  return await openPacked(plugin, plain);
}

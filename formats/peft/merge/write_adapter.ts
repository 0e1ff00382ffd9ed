/**
 * A merged adapter as files.
 * @module
 */
import { streamSafetensors } from "../../../core/safetensors.ts";
import type { Json, Named, Store } from "../../../core/types.ts";
import type { MergedAdapter } from "./merged_adapter.ts";

/** Writes a merged adapter: adapter_config.json, adapter_model.safetensors, and head_config.json where there is one. */
export async function writeMerged(merged: MergedAdapter, to: Store): Promise<readonly string[]> {
  await to.put("adapter_model.safetensors", streamSafetensors(merged.forms, merged.read));
  await to.put("adapter_config.json", new TextEncoder().encode(JSON.stringify(merged.config, null, 2) + "\n"));
  const written = ["adapter_config.json", "adapter_model.safetensors"];
  return [...written, ...await writeHead(merged, to)];
}

/** Writes the names of a classifier's classes, where there are any. */
export async function writeHead(
  { head }: Readonly<{ head?: Named<Json> | undefined }>,
  to: Store,
): Promise<readonly string[]> {
  if (!head) return [];
  await to.put("head_config.json", new TextEncoder().encode(JSON.stringify(head, null, 2) + "\n"));
  return ["head_config.json"];
}

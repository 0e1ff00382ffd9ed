/** Writing of a merged adapter. */
import { streamSafetensors } from "../../../core/files/safetensors.ts";
import type { Json, Named, Store } from "../../../core/types.ts";
import type { MergedAdapter } from "./merged_adapter.ts";
import { adapterFiles } from "../files.ts";
import { jsonFileBytes } from "../../../core/base/bytes.ts";

/** Writes a merged adapter's config, weights, and classes' names, if any. Returns the names of the files. */
export async function writeMerged(merged: MergedAdapter, to: Store): Promise<readonly string[]> {
  await to.put(adapterFiles.weights, streamSafetensors(merged.forms, merged.read));
  await to.put(adapterFiles.config, jsonFileBytes(merged.config));
  const written = [adapterFiles.config, adapterFiles.weights];
  return [...written, ...await writeHead(merged, to)];
}

/** Writes the names of a classifier's classes, if any. Returns the names of the files. */
export async function writeHead(
  { head }: Readonly<{ head?: Named<Json> | undefined }>,
  to: Store,
): Promise<readonly string[]> {
  if (!head) return [];
  await to.put(adapterFiles.head, jsonFileBytes(head));
  return [adapterFiles.head];
}

/** Model weights in several files (shards). */
import { badFile, show } from "../base/errors.ts";
import { missingWeightsIn } from "./other_weights.ts";
import type { Named, Store } from "../types.ts";

/** The largest accepted index of shards, in bytes. */
const MAX_INDEX = 64 * 2 ** 20;

/** A model's weight files and, for shards, the file of each tensor. */
export type WeightFiles = Readonly<{ files: readonly string[]; map: ReadonlyMap<string, string> }>;

/** Finds the shards of a folder without model.safetensors. Throws AttuneError if there are none. */
export async function shardedFiles(store: Store): Promise<WeightFiles> {
  const index = await shardIndex(store);
  if (index) return { files: [...new Set(index.values())], map: index };
  throw await missingWeightsIn(store, "model.safetensors");
}

/** Reads model.safetensors.index.json: the shard of each tensor; undefined if absent. Throws AttuneError if invalid. */
export async function shardIndex(store: Store): Promise<ReadonlyMap<string, string> | undefined> {
  const key = "model.safetensors.index.json";
  const file = await store.get(key, { offset: 0, length: MAX_INDEX });
  if (!file) return undefined;
  if (file.size > MAX_INDEX) throw badFile("safetensors", key, `has ${file.size} bytes; at most ${MAX_INDEX}`);
  let index: { weight_map?: unknown } | null;
  try {
    index = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(file.bytes));
  } catch (cause) {
    throw badFile("safetensors", key, `is not JSON (${cause instanceof Error ? cause.message : cause})`);
  }
  const map = index?.weight_map;
  if (typeof map !== "object" || map === null || Array.isArray(map) || Object.keys(map).length === 0) {
    throw badFile("safetensors", key, `has weight_map ${show(map)} instead of tensor names and their shards`);
  }
  return new Map(
    Object.entries(map as Named<unknown>).map(([name, shard]) => {
      // Only plain file names: a path could lead out of the folder.
      if (typeof shard !== "string" || !/^\w[\w.-]*\.safetensors$/.test(shard)) {
        throw badFile("safetensors", key, `names shard ${show(shard)}, which is not a plain file name`);
      }
      return [name, shard];
    }),
  );
}

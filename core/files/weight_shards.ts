/** Weights of a model in several files. */
import { badFile, show } from "../base/errors.ts";
import { missingWeightsIn } from "./other_weights.ts";
import type { Named, Store } from "../types.ts";

/** A larger index of shards is refused. */
const MAX_INDEX = 64 * 2 ** 20;

/** A model's weight files and, of shards, which tensor is where. */
export type WeightFiles = Readonly<{ files: readonly string[]; map: ReadonlyMap<string, string> }>;

/** The shards of a folder without model.safetensors. Throws AttuneError if there are none. */
export async function shardedFiles(store: Store): Promise<WeightFiles> {
  const index = await shardIndex(store);
  if (index) return { files: [...new Set(index.values())], map: index };
  throw await missingWeightsIn(store, "model.safetensors");
}

/** Which shard holds which tensor, by model.safetensors.index.json; undefined if there is none. Throws AttuneError if it is not sound. */
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
      // Paths would lead anywhere.
      if (typeof shard !== "string" || !/^\w[\w.-]*\.safetensors$/.test(shard)) {
        throw badFile("safetensors", key, `names shard ${show(shard)}, which is not a plain file name`);
      }
      return [name, shard];
    }),
  );
}

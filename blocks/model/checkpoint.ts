/** A model's files as a checkpoint, for all sources of models. */
import { badFile, missing } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/sha256.ts";
import { jsonObject } from "../../core/base/json.ts";
import { weightFiles } from "../../core/files/safetensors.ts";
import type { Checkpoint, Json, Named, Store, Weights } from "../../core/types.ts";

/** Larger configs are refused, in bytes. */
const MAX_CONFIG = 2 ** 20;

/** Reads config.json. Throws AttuneError if it is missing, too large, or not a JSON object. */
export async function readConfig(plugin: string, files: Store, label: string): Promise<Named<Json>> {
  const file = await files.get("config.json", { offset: 0, length: MAX_CONFIG });
  if (!file) throw missing(plugin, "config.json", label);
  const where = `${label}/config.json`;
  if (file.size > MAX_CONFIG) throw badFile(plugin, where, `has ${file.size} bytes, more than ${MAX_CONFIG}`);
  return jsonObject(plugin, where, file.bytes);
}

/** Weights are hashed in pieces of this many bytes, since the web's digest does not accept streams. */
const PIECE = 16 * 2 ** 20;

/** Combines config, files and weights to a checkpoint. */
export function checkpointOf(
  parts: Readonly<{ config: Named<Json>; files: Store; weights: Weights; label: string }>,
): Checkpoint {
  const { config, files, weights } = parts;
  let known: Promise<string> | undefined;
  const fingerprint = async (): Promise<string> => {
    const digests: string[] = [];
    for (const key of weights.names.length > 0 ? (await weightFiles(files)).files : []) {
      const size = (await files.get(key, { offset: 0, length: 0 }))?.size ?? 0;
      for (let offset = 0; offset < size; offset += PIECE) {
        const piece = await files.get(key, { offset, length: PIECE });
        if (!piece) throw missing("checkpoint", key, parts.label);
        digests.push(await sha256(piece.bytes));
      }
    }
    return await sha256([JSON.stringify(config), ...digests].join("\n"));
  };
  return { ...parts, fingerprint: () => known ??= fingerprint() };
}

/** Weights of a model without any. */
export const noWeights: Weights = {
  names: [],
  read: (name) => Promise.reject(missing("random", `tensor "${name}"`, "a model from scratch")),
  locate: () => undefined,
};

/** A store without files. */
export const noFiles: Store = {
  get: () => Promise.resolve(undefined),
  put: () => Promise.resolve("conflict"),
  delete: () => Promise.resolve("conflict"),
  list: async function* () {},
};

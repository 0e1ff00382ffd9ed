/**
 * What sources share: a model directory as a checkpoint.
 * @module
 */
import { badFile, badValue, missing } from "../../core/errors.ts";
import { sha256 } from "../../core/fingerprint.ts";
import { openWeights } from "../../core/safetensors.ts";
import type { Checkpoint, Json, Named, Store, Weights } from "../../core/types.ts";

/** Larger configs are refused. */
const MAX_CONFIG = 2 ** 20;

/** Reads config.json, with some fields replaced. Throws AttuneError where it is missing or not a JSON object. */
export async function readConfig(
  plugin: string,
  files: Store,
  label: string,
  overrides: Named<Json>,
): Promise<Named<Json>> {
  const file = await files.get("config.json");
  if (!file) throw missing(plugin, "config.json", label);
  if (file.bytes.length > MAX_CONFIG) {
    throw badFile(plugin, `${label}/config.json`, `has ${file.bytes.length} bytes, more than ${MAX_CONFIG}`);
  }
  let config: Json;
  try {
    config = JSON.parse(new TextDecoder().decode(file.bytes));
  } catch (cause) {
    throw badFile(plugin, `${label}/config.json`, `is not JSON (${cause instanceof Error ? cause.message : cause})`);
  }
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw badValue(plugin, `${label}/config.json`, config, "an object");
  }
  return { ...config as Named<Json>, ...overrides };
}

/** A directory of config, tokenizer and weights as a checkpoint. */
export async function checkpointOf(
  plugin: string,
  files: Store,
  label: string,
  overrides: Named<Json>,
  weights?: Weights,
): Promise<Checkpoint> {
  const config = await readConfig(plugin, files, label, overrides);
  const own = weights ?? await openWeights(files);
  const parts = own.names.map((name) => {
    const at = own.locate(name);
    return `${name} ${at?.dtype} ${at?.dims} ${at?.offset}`;
  });
  return { config, files, weights: own, fingerprint: await sha256(JSON.stringify(config) + parts.join("\n")), label };
}

/** Weights of a model that has none yet. */
export const noWeights: Weights = {
  names: [],
  read: (name) => Promise.reject(missing("random", `tensor "${name}"`, "a model from scratch")),
  locate: () => undefined,
};

/**
 * PEFT's files: adapter_config.json and adapter_model.safetensors, read and described.
 * @module
 */
import { badFile, badValue, missing } from "../../core/errors.ts";
import { openSafetensors, toFloat32 } from "../../core/safetensors.ts";
import type { Host, Json, Named, Weights } from "../../core/types.ts";

/** An opened adapter directory. `weights` are under the model's own names. */
export type SavedAdapter = Readonly<{ config: Named<Json>; weights: Weights }>;

/** Opens what PEFT saved. Throws AttuneError where a file is missing, broken, or of another type of adapter. */
export async function openPeft(plugin: string, path: string, type: string, host: Host): Promise<SavedAdapter> {
  if (!host.directory) throw missing(plugin, "access to files", host.runtime);
  const store = host.directory(path);
  const file = await store.get("adapter_config.json");
  if (!file) throw missing(plugin, "adapter_config.json", path);
  let config: Named<Json>;
  try {
    config = JSON.parse(new TextDecoder().decode(file.bytes));
  } catch (cause) {
    throw badFile(
      plugin,
      `${path}/adapter_config.json`,
      `is not JSON (${cause instanceof Error ? cause.message : cause})`,
    );
  }
  if (config.peft_type !== type) {
    throw badValue(plugin, `${path}/adapter_config.json: peft_type`, config.peft_type, `"${type}"`);
  }
  const tensors = await openSafetensors(store, "adapter_model.safetensors");
  const keys = new Map(tensors.names.map((key) => [withoutPrefix(key), key]));
  return {
    config,
    weights: {
      names: [...keys.keys()],
      read: async (name) => {
        const key = keys.get(name);
        if (key === undefined) throw missing(plugin, `tensor "${name}"`, `${path}/adapter_model.safetensors`);
        return toFloat32(await tensors.read(key));
      },
      locate: () => undefined,
    },
  };
}

/** The options among PEFT's fields, in camelCase. */
export function fromPeft(config: Named<Json>, names: readonly string[]): Record<string, Json> {
  const options: Record<string, Json> = {};
  for (const name of names) {
    const value = config[snakeCase(name)];
    if (value !== undefined && (value !== null || nullable.has(name))) options[name] = value;
  }
  return options;
}

const nullable: ReadonlySet<string> = new Set([
  "targetModules",
  "excludeModules",
  "modulesToSave",
  "layersToTransform",
  "layersPattern",
]);

/** An adapter_config.json from options in camelCase. */
export function peftConfig(type: string, options: Named<Json>, taskType: string): Named<Json> {
  const fields = Object.fromEntries(Object.entries(options).map(([name, value]) => [snakeCase(name), value]));
  const config: Record<string, Json> = {
    ...fields,
    peft_type: type,
    task_type: taskType,
    inference_mode: true,
    auto_mapping: null,
    revision: null,
  };
  return Object.fromEntries(Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
}

function withoutPrefix(key: string): string {
  return key.replace(/^base_model\.model\./, "").replace(/^base_model\./, "");
}

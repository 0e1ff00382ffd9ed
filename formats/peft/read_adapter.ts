/** Reading of an adapter that PEFT saved. */
import { badValue, missing, show } from "../../core/base/errors.ts";
import { jsonObject } from "../../core/base/json.ts";
import { missingIn } from "../../core/files/missing_folder.ts";
import { openSafetensors, toFloat32 } from "../../core/files/safetensors.ts";
import type { Host, Json, Named, Weights } from "../../core/types.ts";
import type { StoredAdapter } from "../adapter_reader.ts";
import { readConfig } from "./config.ts";
import { adapterFiles } from "./files.ts";
import { adapterKeys } from "./keys.ts";
import { isModuleSaved } from "./modules_to_save.ts";
import type { PeftType } from "./peft_type.ts";
import { wrappedLayer } from "./wrapped_key.ts";
import { withoutParent } from "./record.ts";

/** Reads an adapter of a type from a folder. Throws AttuneError if a file is missing, broken, or of another type. */
export async function readAdapter<O>(type: PeftType<O>, path: string, host: Host): Promise<StoredAdapter<O>> {
  const saved = await openPeft(type, path, host);
  const { options, passed } = readConfig(type, saved);
  if (passed.length > 0) {
    const names = passed.map((name) => show(name)).join(", ");
    host.terminal?.write(`Warning: ${path}/${adapterFiles.config} has ${names}, which is unknown and ignored\n`);
  }
  return {
    options,
    weights: (context) => withoutParent(saved.weights, context),
    isTrained: (module, context) => isModuleSaved(module, saved, context),
  };
}

/** An opened folder; `weights` are under the model's own names. */
async function openPeft<O>(
  { name: plugin, type, prefix }: PeftType<O>,
  path: string,
  host: Host,
): Promise<Readonly<{ config: Named<Json>; weights: Weights }>> {
  if (!host.directory) throw missing(plugin, "access to files", host.runtime);
  const store = host.directory(path);
  const stored = await store.get(adapterFiles.config);
  if (!stored) throw missingIn(plugin, adapterFiles.config, path, host);
  const config = jsonObject(plugin, `${path}/${adapterFiles.config}`, stored.bytes);
  if (config.peft_type !== type) {
    throw badValue(plugin, `${path}/${adapterFiles.config}: peft_type`, config.peft_type, `"${type}"`);
  }
  const tensors = await openSafetensors(store, adapterFiles.weights);
  const file = `${path}/${adapterFiles.weights}`;
  const plain = [...adapterKeys(plugin, file, tensors.names)];
  const keys = new Map(plain.map(([name, key]) => [
    (name.startsWith(prefix) ? name.slice(prefix.length) : name).replace(wrappedLayer, "."),
    key,
  ]));
  return {
    config,
    weights: {
      label: file,
      names: [...keys.keys()],
      read: async (name) => {
        const key = keys.get(name);
        if (key === undefined) throw missing(plugin, `tensor "${name}"`, file);
        return toFloat32(await tensors.read(key));
      },
      locate: () => undefined,
    },
  };
}

/** Reading of adapters that AdapterHub saved. */
import { badFile, missing } from "../../core/base/errors.ts";
import { missingIn } from "../../core/files/missing_folder.ts";
import { openSafetensors, toFloat32 } from "../../core/files/safetensors.ts";
import type { Host, Json, Named, Tensor, Weights } from "../../core/types.ts";
import type { AdapterReader } from "../adapter_reader.ts";
import { type HubType, readConfig } from "./config.ts";
import { hubFiles } from "./files.ts";

/**
 * Returns a reader for one type of AdapterHub's adapters. It throws AttuneError if a file is missing, broken, or of
 * another type.
 */
export function readHub<O>(type: HubType<O>): AdapterReader<O> {
  return {
    name: type.name,
    read: async (path, host) => {
      const { config, weights } = await openHub(type.name, path, host);
      return { options: readConfig(type, config), weights: () => weights };
    },
  };
}

async function openHub(plugin: string, path: string, host: Host): Promise<{ config: Named<Json>; weights: Weights }> {
  if (!host.directory) throw missing(plugin, "access to files", host.runtime);
  const store = host.directory(path);
  const file = await store.get(hubFiles.config);
  if (!file) throw missingIn(plugin, hubFiles.config, path, host);
  const { config } = JSON.parse(new TextDecoder().decode(file.bytes)) as Named<Json>;
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw badFile(plugin, `${path}/${hubFiles.config}`, "has no `config`, so it is not from AdapterHub");
  }
  const tensors = new Map<string, () => Promise<Tensor<Float32Array>>>();
  for (const name of [hubFiles.weights, hubFiles.headWeights]) {
    if (!(await store.get(name, { offset: 0, length: 8 }))) {
      if (name === hubFiles.weights) throw missing(plugin, `${name} (save with use_safetensors=True)`, path);
      continue;
    }
    const open = await openSafetensors(store, name);
    for (const key of open.names) tensors.set(key, async () => toFloat32(await open.read(key)));
  }
  return {
    config: config as Named<Json>,
    weights: {
      names: [...tensors.keys()],
      read: async (name) => {
        const read = tensors.get(name);
        if (!read) throw missing(plugin, `tensor "${name}"`, path);
        return await read();
      },
      locate: () => undefined,
    },
  };
}

/** Renames a file's tensors to Attune's names, in which every adapter is called "default". */
export function renameToDefault(saved: Weights): Weights {
  const names = new Map(saved.names.map((name) => [name.replace(/\.(adapters|refts)\.[^.]+\./, ".$1.default."), name]));
  return { names: [...names.keys()], read: (name) => saved.read(names.get(name) ?? name), locate: () => undefined };
}

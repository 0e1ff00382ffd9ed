/** The models and adapters in a Worker's bindings. */
import { AttuneError } from "../../core/base/errors.ts";
import type { Store } from "../../core/types.ts";
import type { ModelRegistry } from "../http/model_registry.ts";
import { type Assets, assetStore, bucketStore, type KeyValues, keyValueStore, type ModelBucket } from "./stores.ts";
import { artifactFiles } from "../../formats/run/files.ts";

/** The encoder that comes with Attune. */
const BASE = "attune:base";

/** Bindings that contain models: below `<name>/` in a bucket or namespace; attune:base is among the assets. */
export type ModelBindings = Readonly<{ ASSETS?: Assets; MODELS?: ModelBucket; MODELS_KV?: KeyValues }>;

/** Returns the models, which are the same for every caller. */
export function bucketModels({ ASSETS, MODELS, MODELS_KV }: ModelBindings): ModelRegistry {
  const below = (name: string): Store[] => [
    ...MODELS ? [bucketStore(MODELS, `${name}/`)] : [],
    ...MODELS_KV ? [keyValueStore(MODELS_KV, `${name}/`)] : [],
  ];
  const all: Store[] = [...MODELS ? [bucketStore(MODELS, "")] : [], ...MODELS_KV ? [keyValueStore(MODELS_KV, "")] : []];
  return {
    names: async () => {
      const names: string[] = [];
      for (const store of all) {
        for await (const { key } of store.list("")) {
          const name = /^(.+)\/config\.json$/.exec(key)?.[1];
          if (name !== undefined) names.push(name);
        }
      }
      return [...names, ...ASSETS ? [BASE] : []];
    },
    open: async (name) => {
      if (name === BASE) return ASSETS && { id: BASE, files: assetStore(ASSETS, "") };
      if (!/^[\w][\w.-]{0,127}(\/[\w][\w.-]{0,127})?$/.test(name)) return undefined;
      for (const files of below(name)) {
        for (const file of artifactFiles) {
          if (await files.get(file, { offset: 0, length: 0 })) return { id: `models/${name}`, files };
        }
      }
      return undefined;
    },
  };
}

/** Returns a required binding. Throws AttuneError if it is not set. */
export function bound<T>(value: T | undefined, name: string): T {
  if (value) return value;
  throw new AttuneError(`${name} is not set: \`wrangler secret put ${name}\``, { code: "USAGE", plugin: "workers" });
}

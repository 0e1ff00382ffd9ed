/** Tensors that a model's modules share, found from its config, for code that works on files without building a run. */
import { inspectBackbone } from "../../engine/inspect.ts";
import { AttuneError } from "../../base/errors.ts";
import { jsonObject } from "../../base/json.ts";
import type { Architecture, Catalog, FamilyFacts, Json, Named, Store } from "../../types.ts";
import { untiedConfig } from "./ties.ts";

/** Returns the config of a folder; undefined if it has none. Throws AttuneError if it is not a valid JSON object. */
export async function configIn(plugin: string, files: Store, label: string): Promise<Named<Json> | undefined> {
  const file = await files.get("config.json");
  return file && jsonObject(plugin, `${label}/config.json`, file.bytes);
}

/** Tensors that a base model shares. `ties`: from the name of each tied parameter to the name of its source. */
export type SharedTensors = Readonly<{
  ties: Named<string>;
  /** Config fields of the model once its tensors are no longer shared. */
  untiedConfig: Named<Json>;
  /** Modules whose weights the model stores transposed, as [in, out]. */
  conv1ds: readonly string[];
  baseModelPrefix: string;
  family: FamilyFacts;
}>;

/** Returns what a config's model and heads share; undefined if no architecture of the catalog reads the config. */
export function sharedTensors(
  catalog: Catalog,
  config: Named<Json> | undefined,
  names: readonly string[],
): SharedTensors | undefined {
  const type = config?.model_type;
  if (!config || typeof type !== "string") return undefined;
  for (const entry of Object.values(catalog.architecture ?? {})) {
    const parsed = entry.parse({});
    if (parsed.issues) continue;
    const model: Architecture = parsed.value;
    if (!model.modelTypes.includes(type)) continue;
    try {
      const backbone = inspectBackbone(model.read(config, names));
      const heads = Object.values(backbone.heads).flatMap(({ out, outBias, tied }) => [
        ...tied ? [[`${out}.weight`, `${backbone.wordEmbeddings}.weight`] as const] : [],
        ...outBias === undefined ? [] : [[`${out}.bias`, outBias] as const],
      ]);
      const { conv1ds, baseModelPrefix, family } = backbone;
      const ties = { ...backbone.ties, ...Object.fromEntries(heads) };
      return { ties, untiedConfig: untiedConfig(backbone), conv1ds, baseModelPrefix, family };
    } catch (error) {
      // Files of a model that is not implemented here can still be merged by names alone.
      if (error instanceof AttuneError) return undefined;
      throw error;
    }
  }
  return undefined;
}

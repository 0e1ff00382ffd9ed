/** Which tensors a model's modules share, by its config: for what works on files without building a run. */
import { inspectBackbone } from "../../engine/inspect.ts";
import { AttuneError } from "../../base/errors.ts";
import { jsonObject } from "../../base/json.ts";
import type { Architecture, Catalog, FamilyFacts, Json, Named, Store } from "../../types.ts";
import { untiedConfig } from "./ties.ts";

/** The config of a folder; undefined if it has none. Throws AttuneError if it is not sound. */
export async function configIn(plugin: string, files: Store, label: string): Promise<Named<Json> | undefined> {
  const file = await files.get("config.json");
  return file && jsonObject(plugin, `${label}/config.json`, file.bytes);
}

/** How a base's tensors are shared, as its model says: the name each would have alone, and whose it is. */
export type SharedTensors = Readonly<{
  ties: Named<string>;
  /** What its config says once they are not. */
  untiedConfig: Named<Json>;
  /** What tells which weights the model has turned. */
  conv1ds: readonly string[];
  baseModelPrefix: string;
  family: FamilyFacts;
}>;

/** What the model of a config shares, heads included; undefined if no model of the catalog reads the config. */
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
      // What is not implemented here can be merged by names alone.
      if (error instanceof AttuneError) return undefined;
      throw error;
    }
  }
  return undefined;
}

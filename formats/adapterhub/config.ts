/** AdapterHub's adapter_config.json: from options and to options. */
import { badValue } from "../../core/base/errors.ts";
import type { AdapterRecord, AttachContext, InspectedBackbone, Json, Named, Schema } from "../../core/types.ts";
import { parseOptions, snakeCase } from "../config_options.ts";
import { classNameOf } from "../hf/class_names.ts";
import { hubFiles } from "./files.ts";

/** A kind of adapter in AdapterHub's files. */
export type HubType<O> = Readonly<{
  name: string;
  schema: Schema<unknown, O>;
  /** Names of the options that the config holds. */
  names: readonly string[];
  /** Fields that must have these values. */
  fixed: Named<Json>;
  /** Fields of no consequence beside these. */
  harmless?: readonly string[];
}>;

/** Fields that only matter where another one is on. */
const dormant = /^(phm_|shared_|factorized_|learn_phm|hypercomplex|inv_adapter_reduction|init_weights_seed)/;

/** The options that a config stands for. Throws AttuneError if a field asks for what is not implemented. */
export function readConfig<O>(
  { name: plugin, schema, names, fixed, harmless = [] }: HubType<O>,
  config: Named<Json>,
): O {
  const options: Record<string, Json> = {};
  const known = new Map(names.map((name) => [snakeCase(name), name]));
  const must = new Map(Object.entries(fixed).map(([name, value]) => [snakeCase(name), value]));
  for (const [field, value] of Object.entries(config)) {
    const name = known.get(field);
    if (name !== undefined) {
      if (value !== null) options[name] = value;
    } else if (must.has(field)) {
      if (must.get(field) === value) continue;
      throw badValue(plugin, `${hubFiles.config}: ${field}`, value, JSON.stringify(must.get(field)));
    } else if (!harmless.includes(field) && !dormant.test(field) && value !== null && value !== false && value !== 0) {
      throw badValue(plugin, `${hubFiles.config}: ${field}`, value, "null (it is not implemented)");
    }
  }
  return parseOptions(plugin, hubFiles.config, schema, options);
}

/** How an adapter is saved: its config in AdapterHub's names, the head in a file of its own. */
export function hubRecord(backbone: InspectedBackbone, { task }: AttachContext, config: object): AdapterRecord {
  const fields = Object.entries(config).map(([name, value]): [string, Json] => [snakeCase(name), value]);
  return {
    formats: { adapterhub: String((config as Named<Json>).architecture ?? "bottleneck") },
    config: {
      config: Object.fromEntries(fields.sort(([a], [b]) => (a < b ? -1 : 1))),
      hidden_size: backbone.hiddenSize,
      model_class: classNameOf(backbone, { taskType: task }) ?? `${backbone.family.classPrefix}Model`,
      model_type: backbone.family.modelType,
      name: "default",
      version: "adapters.1.2.0",
    },
    key: (name) => name,
  };
}

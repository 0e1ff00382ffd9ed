/** Conversion between AdapterHub's adapter_config.json and the options of a plugin. */
import { badValue } from "../../core/base/errors.ts";
import type { AdapterRecord, AttachContext, InspectedBackbone, Json, Named, Schema } from "../../core/types.ts";
import { parseOptions, snakeCase } from "../config_options.ts";
import { classNameOf } from "../hf/class_names.ts";
import { hubFiles } from "./files.ts";

/** A type of adapter in AdapterHub's files; `O` are the options of the plugin called `name`. */
export type HubType<O> = Readonly<{
  name: string;
  schema: Schema<unknown, O>;
  /** Names of the options that are stored in the config. */
  names: readonly string[];
  /** Fields that must have these values. */
  fixed: Named<Json>;
  /** Other fields, which have no effect and are ignored. */
  ignoredFields?: readonly string[];
}>;

/** Fields that only have an effect if another field is on. */
const dormant = /^(phm_|shared_|factorized_|learn_phm|hypercomplex|inv_adapter_reduction|init_weights_seed)/;

/** Converts a config to the plugin's options. Throws AttuneError if a field asks for what is not implemented. */
export function readConfig<O>(
  { name: plugin, schema, names, fixed, ignoredFields = [] }: HubType<O>,
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
    } else if (
      !ignoredFields.includes(field) && !dormant.test(field) && value !== null && value !== false && value !== 0
    ) {
      throw badValue(plugin, `${hubFiles.config}: ${field}`, value, "null (it is not implemented)");
    }
  }
  return parseOptions(plugin, hubFiles.config, schema, options);
}

/** Returns the record of an adapter that is saved in AdapterHub's format. `config`: its options, in camelCase. */
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

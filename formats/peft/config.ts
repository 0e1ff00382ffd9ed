/** Conversion between PEFT's adapter_config.json and the options of a plugin. */
import { badValue } from "../../core/base/errors.ts";
import type { Json, Named, Weights } from "../../core/types.ts";
import { parseOptions, snakeCase } from "../config_options.ts";
import { adapterFiles } from "./files.ts";
import type { PeftType } from "./peft_type.ts";

/** Fields that every config has, and that are no options of the adapter. */
const common: readonly string[] = [
  "auto_mapping",
  "base_model_name_or_path",
  "inference_mode",
  "peft_type",
  "peft_version",
  "revision",
  "task_type",
];

/**
 * Converts a config to options. Unknown fields must be empty. If the file only has `plainFile` keys, they may have any
 * value, and are returned in `passed`. Throws AttuneError for other fields that are not implemented.
 */
export function readConfig<O>(
  { name: plugin, schema, names, ignoredFields = [], initialValues = {}, plainFile }: PeftType<O>,
  { config, weights }: Readonly<{ config: Named<Json>; weights: Weights }>,
): Readonly<{ options: O; passed: readonly string[] }> {
  const options: Record<string, Json> = {};
  const passed: string[] = [];
  const known = new Map(names.map((name) => [snakeCase(name), name]));
  const isPlain = plainFile !== undefined && weights.names.every((name) => plainFile.keys.test(name));
  for (const [field, value] of Object.entries(config)) {
    if (common.includes(field) || ignoredFields.includes(field) || value === null) continue;
    const name = known.get(field);
    if (name !== undefined) options[name] = initialValues[field]?.[String(value)] ?? value;
    else if (value !== false && !(typeof value === "object" && Object.keys(value).length === 0)) {
      if (!isPlain || plainFile.unbuilt.includes(field)) {
        throw badValue(plugin, `${adapterFiles.config}: ${field}`, value, "null (it is not implemented)");
      }
      passed.push(field);
    }
  }
  return { options: parseOptions(plugin, adapterFiles.config, schema, options), passed };
}

/** Converts options in camelCase to a config, without the option `from`. */
export function peftConfig(type: string, options: object, taskType: string): Named<Json> {
  const fields = Object.entries(options as Named<Json>).filter(([name, value]) =>
    name !== "from" && value !== undefined
  )
    .map(([name, value]) => [snakeCase(name), value]);
  const config: Record<string, Json> = {
    ...Object.fromEntries(fields),
    peft_type: type,
    task_type: taskType === "" ? null : taskType,
    inference_mode: true,
    auto_mapping: null,
    revision: null,
  };
  return Object.fromEntries(Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1)));
}

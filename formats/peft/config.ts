/** PEFT's adapter_config.json: from options and to options. */
import { badValue } from "../../core/base/errors.ts";
import type { Json, Named, Weights } from "../../core/types.ts";
import { parseOptions, snakeCase } from "../config_options.ts";
import { adapterFiles } from "./files.ts";
import type { PeftType } from "./peft_type.ts";

/** Fields of every config that name what it belongs to. */
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
 * The options that a config stands for. A field that is not known must hold nothing, or is passed over where the file
 * shows that it is plain.
 */
export function readConfig<O>(
  { name: plugin, schema, names, harmless = [], begun = {}, plain }: PeftType<O>,
  { config, weights }: Readonly<{ config: Named<Json>; weights: Weights }>,
): Readonly<{ options: O; passed: readonly string[] }> {
  const options: Record<string, Json> = {};
  const passed: string[] = [];
  const known = new Map(names.map((name) => [snakeCase(name), name]));
  const isPlain = plain !== undefined && weights.names.every((name) => plain.keys.test(name));
  for (const [field, value] of Object.entries(config)) {
    if (common.includes(field) || harmless.includes(field) || value === null) continue;
    const name = known.get(field);
    if (name !== undefined) options[name] = begun[field]?.[String(value)] ?? value;
    else if (value !== false && !(typeof value === "object" && Object.keys(value).length === 0)) {
      if (!isPlain || plain.unbuilt.includes(field)) {
        throw badValue(plugin, `${adapterFiles.config}: ${field}`, value, "null (it is not implemented)");
      }
      passed.push(field);
    }
  }
  return { options: parseOptions(plugin, adapterFiles.config, schema, options), passed };
}

/** A config from options in camelCase; `from` stays out. */
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

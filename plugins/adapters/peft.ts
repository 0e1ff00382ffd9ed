/**
 * PEFT's files and rules, as far as adapters share them: adapter_config.json and adapter_model.safetensors read and
 * described, modules that train whole.
 * @module
 */
import * as v from "valibot";
import { adapterKeys } from "../../formats/peft/keys.ts";
import { badValue, missing, show } from "../../core/errors.ts";
import { missingIn } from "../../core/missing_folder.ts";
import { jsonObject } from "../../core/json.ts";
import { openSafetensors, toFloat32 } from "../../core/safetensors.ts";
import type {
  Adapter,
  AttachContext,
  AttachedAdapter,
  Host,
  InspectedBackbone,
  Json,
  Named,
  Plugin,
  Weights,
} from "../../core/types.ts";
import { classifierModules, spanModules } from "../../formats/hf/head_modules.ts";

/** An opened adapter directory. `weights` are under the model's own names. */
export type SavedAdapter = Readonly<{ config: Named<Json>; weights: Weights }>;

/** An adapter type of PEFT. */
export type PeftType<O> = Readonly<{
  /** The plugin's name. */
  name: string;
  /** peft_type of the config. */
  type: string;
  /** What stands in front of the model's names in the file. */
  prefix: "base_model.model." | "base_model.";
  schema: v.GenericSchema<unknown, O>;
  /** Names of the options. */
  names: readonly string[];
  /** Fields of the config that say nothing of the mathematics, whatever their value. */
  harmless?: readonly string[];
  /** Values of fields that say only how training began, and what stands for them. */
  begun?: Named<Named<Json>>;
  /** Of a type whose plain file needs no more than what is known here: keys of one, and fields that are known and not built. */
  plain?: Readonly<{ keys: RegExp; unbuilt: readonly string[] }>;
}>;

/** `open` and `attach` of an adapter whose option `from` continues a directory that PEFT saved. */
export function loadable<O extends { readonly from: string | null }>(
  type: PeftType<O>,
  options: O,
  attach: (options: O, backbone: InspectedBackbone, context: AttachContext, saved?: Weights) => AttachedAdapter,
): Omit<Adapter, keyof Plugin> {
  const { from } = options;
  if (from === null) return { attach: (backbone, context) => attach(options, backbone, context) };
  return {
    open: async (host) => {
      const saved = await openPeft(type, from, host);
      const { read, passed } = readConfig(type, saved);
      if (passed.length > 0) {
        const names = passed.map((name) => show(name)).join(", ");
        host.terminal?.write(
          `Warning: ${from}/adapter_config.json has ${names}, which is not known here and passed over\n`,
        );
      }
      return {
        kind: "adapter",
        name: type.name,
        options,
        attach: (backbone, context) => {
          const modules = context.modules.filter((module) => isModuleSaved(module, saved, context));
          return attach(read, backbone, { ...context, modules }, saved.weights);
        },
      };
    },
    attach: () => {
      throw missing(type.name, "the saved adapter (open it first)", from);
    },
  };
}

/** Modules that PEFT adds to `modules_to_save` by itself, whatever they are part of. */
const automatic = [...classifierModules, ...spanModules];

/** Whether a head's module trained beside a saved adapter: it is in the file, or PEFT's rule puts it there; else it stays as the checkpoint has it. */
function isModuleSaved(
  module: string,
  { config, weights }: SavedAdapter,
  { isInCheckpoint: stored }: AttachContext,
): boolean {
  const asked = Array.isArray(config.modules_to_save) ? config.modules_to_save : [];
  return automatic.includes(module) || asked.includes(module) || !stored?.(module) ||
    // Biases are also in files of adapters that train every bias.
    weights.names.some((name) => name.startsWith(`${module}.`) && !/\.lora_|bias$/.test(name));
}

/** Opens what PEFT saved. Throws AttuneError where a file is missing, broken, or of another type of adapter. */
async function openPeft<O>(
  { name: plugin, type, prefix }: PeftType<O>,
  path: string,
  host: Host,
): Promise<SavedAdapter> {
  if (!host.directory) throw missing(plugin, "access to files", host.runtime);
  const store = host.directory(path);
  const stored = await store.get("adapter_config.json");
  if (!stored) throw missingIn(plugin, "adapter_config.json", path, host);
  const config = jsonObject(plugin, `${path}/adapter_config.json`, stored.bytes);
  if (config.peft_type !== type) {
    throw badValue(plugin, `${path}/adapter_config.json: peft_type`, config.peft_type, `"${type}"`);
  }
  const tensors = await openSafetensors(store, "adapter_model.safetensors");
  const file = `${path}/adapter_model.safetensors`;
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

/** What stands in a key between a module and its parameter where PEFT has wrapped the module. */
const wrappedLayer = ".base_layer.";

/** Keys of a file for parameters of a model some of whose modules are wrapped; what is the wrapper's own stands beside. */
export function wrappedKey(isWrapped: (path: string) => boolean): (name: string) => string {
  return (name) => {
    const dot = name.lastIndexOf(".");
    const [path, part] = [name.slice(0, dot), name.slice(dot + 1)];
    const inside = (part === "weight" || part === "bias") && isWrapped(path);
    return `base_model.model.${inside ? path + wrappedLayer + part : name}`;
  };
}

/** Fields of every adapter_config.json that name what it belongs to. */
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
 * The options that an adapter_config.json stands for. A field that is not known must hold nothing, or is passed over
 * where the file shows that it is plain.
 */
function readConfig<O>(
  { name: plugin, schema, names, harmless = [], begun = {}, plain }: PeftType<O>,
  { config, weights }: SavedAdapter,
): Readonly<{ read: O; passed: readonly string[] }> {
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
        throw badValue(plugin, `adapter_config.json: ${field}`, value, "null (it is not built)");
      }
      passed.push(field);
    }
  }
  const parsed = v.safeParse(schema, options);
  if (parsed.success) return { read: parsed.output, passed };
  const issue = parsed.issues[0];
  throw badValue(plugin, `adapter_config.json: ${v.getDotPath(issue) ?? ""}`, issue.input, issue.message);
}

/** An adapter_config.json from options in camelCase; `from` stays out. */
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

/** Modules that train whole beside an adapter. */
export type SavedModules = Readonly<{
  names: readonly string[] | null;
  /** Whether a module's path is one of them, or inside one. */
  has(path: string): boolean;
  /** Whether a parameter is theirs, as `AttachedAdapter.isTrainable` answers. */
  isTrainable(name: string): true | undefined;
  /** As `has`: what trains whole is a copy, and shares nothing. */
  copies(module: string): boolean;
}>;

/**
 * PEFT's modules_to_save: those that are asked for and the head's own. A name is taken for the end of a path, without a
 * dot: "classifier" also means "pre_classifier".
 */
export function savedModules(asked: readonly string[] | null, head: readonly string[]): SavedModules {
  const names = [...new Set([...(asked ?? []), ...head])];
  const has = (path: string): boolean => {
    const parts = path.split(".");
    return parts.some((_, i) => names.some((name) => parts.slice(0, i + 1).join(".").endsWith(name)));
  };
  return {
    names: names.length > 0 ? names : null,
    has,
    isTrainable: (name) => (has(name.slice(0, name.lastIndexOf("."))) ? true : undefined),
    copies: has,
  };
}

/** An option's name as Python's libraries spell it. */
export function snakeCase(name: string): string {
  if (name === "deltaT") return name;
  return name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
}

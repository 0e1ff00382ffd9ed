/**
 * AdapterHub's files: adapter_config.json, adapter.safetensors and the head's own.
 * @module
 */
import * as v from "valibot";
import { badFile, badValue, missing } from "../../core/errors.ts";
import { missingIn } from "../../core/missing_folder.ts";
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
  Tensor,
  Weights,
} from "../../core/types.ts";
import { classNameOf } from "../../formats/hf/class_names.ts";
import { snakeCase } from "./peft.ts";

/** A kind of adapter in AdapterHub's files. */
export type HubType<O> = Readonly<{
  name: string;
  schema: v.GenericSchema<unknown, O>;
  /** Names of the options that the config holds. */
  names: readonly string[];
  /** Fields that must have these values. */
  fixed: Named<Json>;
  /** Fields of no consequence beside these. */
  harmless?: readonly string[];
}>;

/** `open` and `attach` of an adapter whose option `from` continues a directory that AdapterHub saved. */
export function loadableHub<O extends { readonly from: string | null }>(
  type: HubType<O>,
  options: O,
  attach: (options: O, backbone: InspectedBackbone, context: AttachContext, saved?: Weights) => AttachedAdapter,
): Omit<Adapter, keyof Plugin> {
  const { from } = options;
  if (from === null) return { attach: (backbone, context) => attach(options, backbone, context) };
  return {
    open: async (host) => {
      const { config, weights } = await openHub(type.name, from, host);
      const read = readConfig(type, config);
      return {
        kind: "adapter",
        name: type.name,
        options,
        attach: (backbone, context) => attach(read, backbone, context, weights),
      };
    },
    attach: () => {
      throw missing(type.name, "the saved adapter (open it first)", from);
    },
  };
}

async function openHub(plugin: string, path: string, host: Host): Promise<{ config: Named<Json>; weights: Weights }> {
  if (!host.directory) throw missing(plugin, "access to files", host.runtime);
  const store = host.directory(path);
  const file = await store.get("adapter_config.json");
  if (!file) throw missingIn(plugin, "adapter_config.json", path, host);
  const { config } = JSON.parse(new TextDecoder().decode(file.bytes)) as Named<Json>;
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw badFile(plugin, `${path}/adapter_config.json`, "has no `config`: it is not one of AdapterHub");
  }
  const names = ["adapter.safetensors", "model_head.safetensors"];
  const tensors = new Map<string, () => Promise<Tensor<Float32Array>>>();
  for (const name of names) {
    if (!(await store.get(name, { offset: 0, length: 8 }))) {
      if (name === names[0]) throw missing(plugin, `${name} (save with use_safetensors=True)`, path);
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

/** Fields that only matter where another one is on. */
const dormant = /^(phm_|shared_|factorized_|learn_phm|hypercomplex|inv_adapter_reduction|init_weights_seed)/;

function readConfig<O>({ name: plugin, schema, names, fixed, harmless = [] }: HubType<O>, config: Named<Json>): O {
  const options: Record<string, Json> = {};
  const known = new Map(names.map((name) => [snakeCase(name), name]));
  const must = new Map(Object.entries(fixed).map(([name, value]) => [snakeCase(name), value]));
  for (const [field, value] of Object.entries(config)) {
    const name = known.get(field);
    if (name !== undefined) {
      if (value !== null) options[name] = value;
    } else if (must.has(field)) {
      if (must.get(field) === value) continue;
      throw badValue(plugin, `adapter_config.json: ${field}`, value, JSON.stringify(must.get(field)));
    } else if (!harmless.includes(field) && !dormant.test(field) && value !== null && value !== false && value !== 0) {
      throw badValue(plugin, `adapter_config.json: ${field}`, value, "null (it is not built)");
    }
  }
  const parsed = v.safeParse(schema, options);
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  throw badValue(plugin, `adapter_config.json: ${v.getDotPath(issue) ?? ""}`, issue.input, issue.message);
}

/** A file's tensors under the names of here, where every adapter is called "default". */
export function renameToDefault(saved: Weights): Weights {
  const names = new Map(saved.names.map((name) => [name.replace(/\.(adapters|refts)\.[^.]+\./, ".$1.default."), name]));
  return { names: [...names.keys()], read: (name) => saved.read(names.get(name) ?? name), locate: () => undefined };
}

/** How an adapter is saved: its config in AdapterHub's names, the head in a file of its own. */
export function hubFormat(
  backbone: InspectedBackbone,
  { task }: AttachContext,
  config: object,
): NonNullable<AttachedAdapter["peft"]> {
  const fields = Object.entries(config).map(([name, value]): [string, Json] => [snakeCase(name), value]);
  return {
    format: "adapterhub",
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

/** Opening of a saved adapter to be merged: checks the fields of its config that merging reads, and its tensors. */
import { adapterKeys } from "../keys.ts";
import { badFile, badValue, missing, show, unsupported } from "../../../core/base/errors.ts";
import { jsonObject } from "../../../core/base/json.ts";
import { openSafetensors, type TensorForm, toFloat32 } from "../../../core/files/safetensors.ts";
import type { Json, Named, Store, Tensor } from "../../../core/types.ts";
import { adapterFiles } from "../files.ts";
import { unpoolFactor } from "../../quantization/pooled_inputs.ts";

/** An adapter to merge: PEFT's config and tensors. `read` throws AttuneError if there is no tensor of the name. */
export type OpenedAdapter = Readonly<{
  label: string;
  config: Named<Json>;
  /** Its head_config.json, with the names of a classifier's classes. */
  head?: Named<Json> | undefined;
  names: readonly string[];
  form(name: string): TensorForm;
  read(name: string): Promise<Tensor<Float32Array>>;
  /** The inputs per group that A reads in the file (QA-LoRA); `form` and `read` return A as wide as all inputs. */
  pooledBy?: number | undefined;
}>;

const MAX_CONFIG = 2 ** 20;
/** Headers of adapters have a few kilobytes. */
const MAX_HEADER = 8 * 2 ** 20;
const MAX_PATTERNS = 1024;
const MAX_POOL = 2 ** 16;

/** The metadata field in which a safetensors file may have its adapter_config.json. */
export const CONFIG_IN_METADATA = "adapter_config";

/**
 * Opens an adapter's directory, or a lone adapter_model.safetensors with its config in its metadata.
 *
 * @throws AttuneError that names what is missing or invalid: files, fields of the config, values that are not finite.
 */
export async function openAdapter(label: string, store: Store): Promise<OpenedAdapter> {
  const file = await openSafetensors(store, adapterFiles.weights, { maxHeader: MAX_HEADER });
  const stored = await store.get(adapterFiles.config, { offset: 0, length: MAX_CONFIG });
  const where = `${label}/${adapterFiles.config}`;
  if (stored && stored.size > MAX_CONFIG) throw badFile("merge", where, `has more than ${MAX_CONFIG} bytes`);
  const text = file.metadata.get(CONFIG_IN_METADATA);
  const bytes = stored?.bytes ?? (text === undefined ? undefined : new TextEncoder().encode(text));
  if (bytes === undefined) throw missing("merge", adapterFiles.config, label);
  const config = checkedConfig(jsonObject("merge", where, bytes), where);
  const head = await store.get(adapterFiles.head, { offset: 0, length: MAX_CONFIG });
  if (file.names.length === 0) throw badFile("merge", `${label}/${adapterFiles.weights}`, "has no tensors");
  const keys = adapterKeys("merge", label, file.names);
  for (const name of file.names) {
    if (name.length > 256) throw badFile("merge", label, `has a tensor with a name of ${name.length} characters`);
    const { data } = toFloat32(await file.read(name));
    if (!data.every(Number.isFinite)) {
      throw badFile("merge", label, `tensor ${show(name)} has values that are not finite`);
    }
  }
  return unpoolAdapter({
    label,
    config,
    head: head && jsonObject("merge", `${label}/${adapterFiles.head}`, head.bytes),
    names: [...keys.keys()],
    form: (name) => ({ dtype: "float32", dims: file.locate(keys.get(name) ?? name).dims }),
    read: async (name) => toFloat32(await file.read(keys.get(name) ?? name)),
  });
}

/**
 * Checks that a folder's adapter is its run's only one: merging just the first of several would make another model.
 *
 * @throws AttuneError that names the other adapters.
 */
export async function checkLone(label: string, store: Store): Promise<void> {
  const stored = await store.get(adapterFiles.places, { offset: 0, length: MAX_CONFIG });
  const text = stored && new TextDecoder().decode(stored.bytes);
  const others = (text?.match(/"[\w-]{1,64}"/g) ?? []).join(", ");
  if (others === "") return;
  const why =
    `its run has several adapters (${adapterFiles.places}: ${others}): fold them in with attune export --merge`;
  throw unsupported("merge", label, "one of several adapters", why);
}

/** PEFT's default number of inputs per group in QA-LoRA. */
const POOL = 16;

/** Converts an adapter whose A reads groups of inputs to one whose A reads each input. */
function unpoolAdapter(adapter: OpenedAdapter): OpenedAdapter {
  const { config: { use_qalora, qalora_group_size: size = POOL, ...config }, label, form, read } = adapter;
  if (adapter.config.peft_type !== "LORA" || use_qalora !== true) return adapter;
  if (!Number.isInteger(size) || Number(size) < 1 || Number(size) > MAX_POOL) {
    throw badValue("merge", `${label}: qalora_group_size`, size, `a whole number from 1 to ${MAX_POOL}`);
  }
  const group = Number(size);
  const isPooled = (name: string): boolean => name.endsWith(".lora_A.weight");
  return {
    ...adapter,
    config,
    pooledBy: group,
    form: (name) => {
      const { dtype, dims: [r = 0, groups = 0] } = form(name);
      return isPooled(name) ? { dtype, dims: [r, groups * group] } : form(name);
    },
    read: async (name) => isPooled(name) ? unpoolFactor(await read(name), group) : await read(name),
  };
}

function checkedConfig(config: Named<Json>, where: string): Named<Json> {
  const wrong = (field: string, allowed: string): Error =>
    badValue("merge", `${where}: ${field}`, config[field], allowed);
  if (typeof config.peft_type !== "string") throw wrong("peft_type", "the name of a type of adapter");
  for (const field of ["use_dora", "use_rslora", "lora_bias", "fan_in_fan_out"]) {
    if (![undefined, null, true, false].includes(config[field] as boolean)) throw wrong(field, "true or false");
  }
  if (config.peft_type !== "LORA") return config;
  if (!isRank(config.r)) throw wrong("r", "a whole number from 1");
  if (!isFinite_(config.lora_alpha)) throw wrong("lora_alpha", "a finite number");
  checkPatterns(config.rank_pattern, isRank, () => wrong("rank_pattern", "patterns of modules and their ranks"));
  checkPatterns(
    config.alpha_pattern,
    isFinite_,
    () => wrong("alpha_pattern", "patterns of modules and finite numbers"),
  );
  return config;
}

const isRank = (x: unknown): boolean => Number.isInteger(x) && Number(x) >= 1 && Number(x) <= 2 ** 20;
const isFinite_ = (x: unknown): boolean => typeof x === "number" && Number.isFinite(x);

/** Checks patterns. They are regular expressions from untrusted files, so their number and length are limited. */
function checkPatterns(value: Json | undefined, isValue: (x: unknown) => boolean, wrong: () => Error): void {
  if (value === undefined || value === null) return;
  if (typeof value !== "object" || Array.isArray(value)) throw wrong();
  const entries = Object.entries(value);
  if (entries.length > MAX_PATTERNS) throw wrong();
  for (const [pattern, own] of entries) {
    if (pattern.length > 256 || !isValue(own)) throw wrong();
  }
}

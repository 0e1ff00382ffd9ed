/**
 * Merging of an adapter into a checkpoint, tensor by tensor, large ones in blocks of rows: memory never holds the whole
 * model or a whole large matrix. Tensors are matched by name and size; no model is built.
 */
import type { SharedTensors } from "../../../core/run/open/shared_tensors.ts";
import { releaseBuffer } from "../../../core/base/bytes.ts";
import { badValue, missing, show, unsupported } from "../../../core/base/errors.ts";
import { refuseQuantized } from "../../packed/method.ts";
import { fromFloat32, type TensorForm } from "../../../core/files/safetensors.ts";
import type { DType } from "../../../core/base/tensor.ts";
import type { Json, Named, Weights } from "../../../core/types.ts";
import { type AdapterParts, partsOf } from "./adapter_parts.ts";
import { namesIn, type Shared, sharedIn } from "./base_names.ts";
import type { OpenedAdapter } from "./config.ts";
import { ia3Changes } from "./ia3_change.ts";
import { loraChanges } from "./lora_change.ts";
import type { Change, Module } from "./module_change.ts";
import { bytesOf, formOf, rowsInMemory, rowsOf } from "./stored_rows.ts";

/** A merged model: its tensors' dtypes and dims, in the base's order, and their bytes, computed when they are read. */
export type MergedModel = Readonly<{
  forms: Named<TensorForm>;
  /** The names of a classifier's classes, if the adapter has them. */
  head?: Named<Json> | undefined;
  /** Changes of the config if tensors that the base shared are separate now. */
  untiedConfig?: Named<Json> | undefined;
  /** The tensor's name in the base, if it has one, and whether its values differ from the base's; absent: not known. */
  origin?(name: string): Readonly<{ stored?: string | undefined; changed: boolean }>;
  pieces(name: string): AsyncIterable<Uint8Array>;
}>;

/** Options of merging into a base. `weight` scales the update; `owned`: nobody else uses the bytes the base returns. */
export type IntoBaseOptions = Readonly<
  { weight?: number; owned?: boolean; shared?: Pick<SharedTensors, "ties" | "untiedConfig"> | undefined }
>;

/** The merged file, by the names of its tensors. */
type Plan = Readonly<{
  forms: Record<string, TensorForm>;
  /** The source of each tensor's values: a tensor of the base, or one of the adapter. */
  sources: Map<string, Readonly<{ stored?: string; key?: string }>>;
  changes: Map<string, Change>;
  /** Returns the name in the merged file of a tensor of the adapted model. */
  outName(name: string): string;
}>;

const floats: ReadonlySet<DType> = new Set<DType>(["float64", "float32", "float16", "bfloat16"]);

/**
 * Merges a LoRA, rsLoRA, DoRA or IA3 adapter into a base: each module's weight plus its update. Modules that share a
 * tensor get separate ones if their values differ.
 *
 * @throws AttuneError that names the tensor if adapter and base do not fit, before any tensor of the base is read.
 */
export function mergeIntoBase(base: Weights, adapter: OpenedAdapter, options: IntoBaseOptions = {}): MergedModel {
  const { weight = 1, owned = false } = options;
  const type = adapter.config.peft_type;
  if (type !== "LORA" && type !== "IA3") throw badValue("merge", `${adapter.label}: peft_type`, type, "LORA or IA3");
  if (!Number.isFinite(weight)) throw badValue("merge", "weight", weight, "a finite number");
  refuseQuantized("merge", "the base", undefined, base.names);
  const all = partsOf(adapter);
  const shared = sharedIn(base, adapter, all.modules, all.tensors, options.shared);
  // Tensors that remain shared are in the adapter's file under the name of each module.
  const modules = new Map([...all.modules].filter(([path]) => !shared.staysTied(`${path}.weight`)));
  const tensors = new Map([...all.tensors].filter(([name]) => !shared.staysTied(name)));
  const plan = planBase(base, { modules, tensors }, shared, adapter.label);
  for (const [name, key] of tensors) planReplaced(plan, name, key, adapter);
  for (const [path, keys] of modules) planModule(plan, path, keys, adapter, weight);
  return {
    forms: plan.forms,
    head: adapter.head,
    untiedConfig: shared.untied.size > 0 ? options.shared?.untiedConfig : undefined,
    origin: (name) => {
      const { stored, key } = plan.sources.get(name) ?? {};
      return { stored, changed: key !== undefined || plan.changes.has(name) };
    },
    pieces: (name) => piecesOf(plan, name, base, adapter, owned),
  };
}

/** Plans the base's own tensors, and those that become separate. */
function planBase(base: Weights, { modules, tensors }: AdapterParts, shared: Shared, label: string): Plan {
  const adapted = [...modules.keys()].map((path) => shared.storedAs(`${path}.weight`));
  const names = namesIn(base, adapted, [...tensors.keys()], label);
  const outName = (name: string): string => names.out(names.inBase(name));
  const forms: Record<string, TensorForm> = Object.create(null);
  const sources: Plan["sources"] = new Map();
  const take = (out: string, stored: string): void => {
    forms[out] = formOf(base, stored);
    sources.set(out, { stored });
  };
  for (const stored of base.names) take(names.out(stored), stored);
  for (const [name, source] of shared.untied) take(outName(name), names.inBase(source));
  return { forms, sources, changes: new Map(), outName };
}

/** Plans the changes of an adapted module. */
function planModule(
  { forms, changes, outName }: Plan,
  path: string,
  keys: ReadonlyMap<string, string>,
  adapter: OpenedAdapter,
  weight: number,
): void {
  const name = outName(`${path}.weight`);
  const form = forms[name];
  if (!form) throw missing("merge", `tensor ${show(name)}, which ${adapter.label} adapts,`, "the base");
  if (!floats.has(form.dtype)) {
    throw unsupported("merge", name, form.dtype, "adapted weights are float64, float32, float16 or bfloat16");
  }
  const [rows = 0, columns = 0] = form.dims;
  if (form.dims.length !== 2) throw badValue("merge", `base: ${name}`, form.dims, "a matrix");
  const module: Module = { path, keys, rows, columns, adapter, weight };
  const isLora = adapter.config.peft_type === "LORA";
  const change = isLora ? loraChanges(module) : ia3Changes(module);
  changes.set(name, change.weight);
  if (!change.bias) return;
  const bias = outName(`${path}.bias`);
  const dims = forms[bias]?.dims;
  if (dims) {
    if (dims.join() !== String(change.outFeatures)) {
      throw badValue("merge", `base: ${bias}`, dims, `${change.outFeatures} values`);
    }
    changes.set(bias, change.bias);
  } else if (isLora) throw missing("merge", `tensor "${bias}", which ${adapter.label} adapts,`, "the base");
}

/** Plans to replace a tensor of the base with one that the adapter has in full. */
function planReplaced({ forms, sources, outName }: Plan, name: string, key: string, adapter: OpenedAdapter): void {
  const out = outName(name);
  const form = adapter.form(key);
  const before = forms[out];
  if (before && before.dims.join() !== form.dims.join()) {
    throw badValue("merge", `${adapter.label}: ${name}`, form.dims, `the base's shape, ${show(before.dims)}`);
  }
  forms[out] = { dtype: before && floats.has(before.dtype) ? before.dtype : form.dtype, dims: form.dims };
  sources.set(out, { ...sources.get(out), key });
}

/** Computes the bytes of a tensor of the merged file. */
async function* piecesOf(
  { forms, sources, changes }: Plan,
  name: string,
  base: Weights,
  adapter: OpenedAdapter,
  owned: boolean,
): AsyncIterable<Uint8Array> {
  const form = forms[name];
  const { stored, key } = sources.get(name) ?? {};
  if (!form) throw missing("merge", `tensor ${show(name)}`, "the merged model");
  const change = changes.get(name);
  if (!change) {
    if (key !== undefined) return yield fromFloat32((await adapter.read(key)).data.slice(), form.dtype);
    if (stored !== undefined) yield* bytesOf(base, stored, form);
    return;
  }
  const rows = key === undefined
    ? rowsOf(base, stored ?? "", form, owned)
    : rowsInMemory(await adapter.read(key), form);
  const apply = await change.start(rows);
  for await (const { values, firstRow } of rows.blocks()) {
    apply(values, firstRow);
    const bytes = fromFloat32(values, form.dtype);
    if (form.dtype !== "float32") releaseBuffer(values);
    yield bytes;
  }
}

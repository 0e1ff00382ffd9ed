/**
 * An adapter folded into a checkpoint, tensor by tensor: large ones in blocks of rows, so that neither model nor matrix
 * is in memory at once. Names and sizes alone say what is what; no model is built.
 * @module
 */
import { released } from "../bytes.ts";
import { configText } from "../config_text.ts";
import { badValue, missing, refused, show, unsupported } from "../errors.ts";
import { jsonObject } from "../json.ts";
import { patternValue } from "../modules.ts";
import { refuseQuantized } from "../quantized.ts";
import {
  fromFloat32,
  type StoredWeights,
  streamSafetensors,
  type TensorForm,
  toFloat32,
  viewOf,
} from "../safetensors.ts";
import { bytesPerElement, type DType, sizeOf, type Tensor } from "../tensor.ts";
import type { Json, Named, Store } from "../types.ts";
import { writeHead } from "./adapters.ts";
import type { OpenedAdapter } from "./config.ts";

/** A merged model: its tensors' forms, in the base's order and dtypes, and their bytes, computed when they are read. */
export type MergedModel = Readonly<{
  forms: Named<TensorForm>;
  /** The names of a classifier's classes, where the adapter has them. */
  head?: Named<Json> | undefined;
  /** What its config says where tensors are apart that the base shared. */
  untiedConfig?: Named<Json> | undefined;
  pieces(name: string): AsyncIterable<Uint8Array>;
}>;

/** About so many bytes are read and computed at once. */
const BLOCK = 2 ** 18;

/** What is done to one matrix or bias, some rows of it at a time. */
type Change = Readonly<{
  /** Called once, when the tensor's turn has come. */
  start(rows: Rows): Promise<(values: Float32Array, firstRow: number) => void>;
}>;

/** What becomes of a module. */
type Changes = Readonly<{ weight: Change; bias?: Change; outFeatures: number }>;

/** A stored tensor as rows. */
type Rows = Readonly<
  { dtype: DType; columns: number; blocks(): AsyncIterable<Readonly<{ values: Float32Array; firstRow: number }>> }
>;

/** How a base's tensors are shared, as its model says: the name each would have alone, and whose it is. */
export type SharedTensors = Readonly<{
  ties: Named<string>;
  /** What its config says once they are not. */
  untiedConfig: Named<Json>;
}>;

/** How an adapter goes into a base. `weight` scales the update; `owned`: what parts of the base are read as is nobody else's. */
export type IntoBaseOptions = Readonly<{ weight?: number; owned?: boolean; shared?: SharedTensors | undefined }>;

/**
 * What a base becomes with an adapter of LoRA, rsLoRA, DoRA or IA3 folded in: base and update of each module, also of
 * those that share a tensor, which are told apart where they get different values.
 *
 * @throws AttuneError that names the tensor, where adapter and base do not fit. No tensor of the base has been read then.
 */
export function mergeIntoBase(base: StoredWeights, adapter: OpenedAdapter, options: IntoBaseOptions = {}): MergedModel {
  const { weight = 1, owned = false } = options;
  const type = adapter.config.peft_type;
  if (type !== "LORA" && type !== "IA3") throw badValue("merge", `${adapter.label}: peft_type`, type, "LORA or IA3");
  if (!Number.isFinite(weight)) throw badValue("merge", "weight", weight, "a finite number");
  refuseQuantized("merge", "the base", undefined, base.names);
  const all = partsOf(adapter);
  const shared = sharedIn(base, adapter, all.modules, all.whole, options.shared);
  // What modules go on sharing stands in the file under the name of each.
  const modules = new Map([...all.modules].filter(([path]) => !shared.sameAs(`${path}.weight`)));
  const whole = new Map([...all.whole].filter(([name]) => !shared.sameAs(name)));
  const adapted = [...modules.keys()].map((path) => shared.storedAs(`${path}.weight`));
  const find = namesIn(base, adapted, [...whole.keys()], adapter.label);
  // By the name in the merged file: where a tensor's values come from, and what is done to them.
  const forms: Record<string, TensorForm> = Object.create(null);
  const sources = new Map<string, { stored?: string; key?: string }>();
  const changes = new Map<string, Change>();
  for (const stored of base.names) {
    forms[find.out(stored)] = formOf(base, stored);
    sources.set(find.out(stored), { stored });
  }
  for (const [name, source] of shared.apart) {
    const stored = find.inBase(source);
    const out = find.out(find.inBase(name));
    forms[out] = formOf(base, stored);
    sources.set(out, { stored });
  }
  const outName = (name: string): string => find.out(find.inBase(name));
  for (const [path, keys] of modules) {
    const name = outName(`${path}.weight`);
    const form = forms[name];
    if (!form) throw missing("merge", `tensor ${show(name)}, which ${adapter.label} adapts,`, "the base");
    if (!floats.has(form.dtype)) {
      throw unsupported("merge", name, form.dtype, "adapted weights are float64, float32, float16 or bfloat16");
    }
    const [rows = 0, columns = 0] = form.dims;
    if (form.dims.length !== 2) throw badValue("merge", `base: ${name}`, form.dims, "a matrix");
    const module: Module = { path, keys, rows, columns, adapter, weight };
    const made = type === "IA3" ? ia3Changes(module) : loraChanges(module);
    changes.set(name, made.weight);
    if (!made.bias) continue;
    const bias = outName(`${path}.bias`);
    const dims = forms[bias]?.dims;
    if (dims) {
      if (dims.join() !== String(made.outFeatures)) {
        throw badValue("merge", `base: ${bias}`, dims, `${made.outFeatures} values`);
      }
      changes.set(bias, made.bias);
    } else if (type === "LORA") throw missing("merge", `tensor "${bias}", which ${adapter.label} adapts,`, "the base");
  }
  for (const [name, key] of whole) {
    const out = outName(name);
    const form = adapter.form(key);
    const before = forms[out];
    if (before && before.dims.join() !== form.dims.join()) {
      throw badValue("merge", `${adapter.label}: ${name}`, form.dims, `the base's shape, ${show(before.dims)}`);
    }
    forms[out] = { dtype: before && floats.has(before.dtype) ? before.dtype : form.dtype, dims: form.dims };
    sources.set(out, { key });
  }
  return {
    forms,
    head: adapter.head,
    untiedConfig: shared.apart.size > 0 ? options.shared?.untiedConfig : undefined,
    pieces: async function* (name) {
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
        : rowsHeld(await adapter.read(key), form);
      const apply = await change.start(rows);
      for await (const { values, firstRow } of rows.blocks()) {
        apply(values, firstRow);
        const bytes = fromFloat32(values, form.dtype);
        if (form.dtype !== "float32") released(values);
        yield bytes;
      }
    },
  };
}

/** What an adapter's file has: by module the parts of its update, and tensors that are whole. */
type Parts = Readonly<{
  modules: ReadonlyMap<string, ReadonlyMap<string, string>>;
  whole: ReadonlyMap<string, string>;
}>;

function partsOf(adapter: OpenedAdapter): Parts {
  const modules = new Map<string, Map<string, string>>();
  const whole = new Map<string, string>();
  for (const key of adapter.names) {
    if (!key.startsWith(PREFIX)) throw badValue("merge", `${adapter.label}: tensor`, key, `a name below ${PREFIX}`);
    const name = key.slice(PREFIX.length).replace(".base_layer.", ".");
    const part = parts.find((suffix) => name.endsWith(suffix));
    if (part === undefined) {
      if (/\.(lora|ia3|vera|oft|token_adapter|trainable_tokens)[._]/.test(name)) {
        throw unsupported(
          "merge",
          adapter.label,
          key,
          "what is merged are A and B of LoRA, magnitudes of DoRA, vectors of IA3",
        );
      }
      whole.set(name, key);
      continue;
    }
    const path = name.slice(0, -part.length);
    const own = modules.get(path) ?? new Map<string, string>();
    own.set(part, key);
    modules.set(path, own);
  }
  return { modules, whole };
}

/** What becomes of shared tensors. `apart`: those that get a tensor of their own, by whose they were; `sameAs`: those that do not. */
type Shared = Readonly<
  { apart: ReadonlyMap<string, string>; storedAs(name: string): string; sameAs(name: string): boolean }
>;

/** Tensors are told apart where an adapter changes what one module has of them and not, or not alike, the others. */
function sharedIn(
  base: StoredWeights,
  adapter: OpenedAdapter,
  modules: Parts["modules"],
  whole: Parts["whole"],
  shared: SharedTensors | undefined,
): Shared {
  const has = (name: string): boolean =>
    base.names.some((own) => own === name || name.endsWith(`.${own}`) || own.endsWith(`.${name}`));
  const ties = Object.entries(shared?.ties ?? {}).filter(([name, source]) => has(source) && !has(name));
  const trained = (name: string): boolean =>
    modules.has(name.slice(0, name.lastIndexOf("."))) || (whole.has(name) && !isBaseLayer(whole.get(name) ?? ""));
  const together = adapter.config.ensure_weight_tying === true;
  const apart = !together && ties.some(([name, source]) => trained(name) || trained(source)) ? ties : [];
  const of = new Map(ties);
  const sameAs = (name: string): boolean => together && of.has(name) && trained(of.get(name) ?? "");
  return { apart: new Map(apart), storedAs: (name) => of.get(name) ?? name, sameAs };
}

/** Whether a key is of a module's own weight, beside what adapts it. */
const isBaseLayer = (key: string): boolean => key.includes(".base_layer.");

/** A tensor in memory as rows. */
function rowsHeld({ data }: Tensor<Float32Array>, { dtype, dims }: TensorForm): Rows {
  const columns = dims.at(-1) ?? 1;
  return {
    dtype,
    columns,
    blocks: async function* () {
      yield { values: data.slice(), firstRow: 0 };
    },
  };
}

/** Files of a model that go along unchanged. */
const carried: readonly string[] = [
  "config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "vocab.txt",
  "chat_template.jinja",
  "generation_config.json",
];

/** Writes a merged model's directory: model.safetensors, and what else there is of `base`. */
export async function writeModel(model: MergedModel, base: Store, to: Store): Promise<readonly string[]> {
  await to.put("model.safetensors", streamSafetensors(model.forms, model.pieces));
  const written = ["model.safetensors"];
  for (const name of carried) {
    const file = await base.get(name);
    if (!file) continue;
    await to.put(name, name === "config.json" ? withFields(file.bytes, model.untiedConfig) : file.bytes);
    written.push(name);
  }
  return [...written, ...await writeHead(model, to)];
}

/** A config with further fields; numbers stay as they are written. */
function withFields(bytes: Uint8Array, fields: Named<Json> = {}): Uint8Array {
  if (Object.keys(fields).length === 0) return bytes;
  return new TextEncoder().encode(configText({ ...jsonObject("merge", "config.json", bytes), ...fields }, bytes));
}

const PREFIX = "base_model.model.";
/** What PEFT has of an adapted module. */
const parts: readonly string[] = [
  ".lora_A.weight",
  ".lora_B.weight",
  ".lora_B.bias",
  ".lora_embedding_A",
  ".lora_embedding_B",
  ".lora_magnitude_vector",
  ".ia3_l",
];
const floats: ReadonlySet<DType> = new Set<DType>(["float64", "float32", "float16", "bfloat16"]);

/** Names of the adapted model in a base that may be the model without its head, or with one. */
type BaseNames = Readonly<{ inBase(name: string): string; out(stored: string): string }>;

function namesIn(
  base: StoredWeights,
  adapted: readonly string[],
  whole: readonly string[],
  label: string,
): BaseNames {
  const there = new Set(base.names);
  if (adapted.length === 0 && whole.length === 0) throw refused("merge", `${label} adapts nothing`);
  const first = (name: string): string => name.slice(0, name.indexOf(".") + 1);
  const prefix = first(adapted[0] ?? whole[0] ?? "");
  const outer = [...new Set(base.names.map(first))].filter((p) => p !== "");
  const same = (name: string): string => name;
  const bare = (name: string): string => (name.startsWith(prefix) ? name.slice(prefix.length) : name);
  const ways: readonly ((name: string) => string)[] = [same, bare, ...outer.map((p) => (name: string) => p + name)];
  const way = ways.find((of) => adapted.every((name) => there.has(of(name))));
  if (!way) {
    const lost = adapted.find((name) => !there.has(name)) ?? "";
    throw missing("merge", `tensor ${show(lost)}, which ${label} adapts,`, "the base");
  }
  // A head beside a model without one: its tensors get the names of the model with the head.
  const named = way === bare && whole.some((name) => !there.has(bare(name)) && !name.startsWith(prefix));
  return { inBase: way, out: (stored) => (named && there.has(stored) ? prefix + stored : stored) };
}

type Module = Readonly<{
  path: string;
  keys: ReadonlyMap<string, string>;
  rows: number;
  columns: number;
  adapter: OpenedAdapter;
  weight: number;
}>;

function loraChanges({ path, keys, rows, columns, adapter, weight }: Module): Changes {
  const { label, config } = adapter;
  const where = `${label}: ${path}`;
  const table = keys.has(".lora_embedding_A") || keys.has(".lora_embedding_B");
  const [keyA, keyB] = table
    ? [keys.get(".lora_embedding_A"), keys.get(".lora_embedding_B")]
    : [keys.get(".lora_A.weight"), keys.get(".lora_B.weight")];
  if (keyA === undefined || keyB === undefined) throw missing("merge", keyA === undefined ? "lora_A" : "lora_B", where);
  const [dimsA, dimsB] = [adapter.form(keyA).dims, adapter.form(keyB).dims];
  const [r = 0, inFeatures = 0] = dimsA;
  const [outFeatures = 0] = dimsB;
  const plain = outFeatures === rows && inFeatures === columns;
  const turned = outFeatures === columns && inFeatures === rows;
  if (dimsA.length !== 2 || dimsB.length !== 2 || dimsB[1] !== r || (table ? !turned : !plain && !turned)) {
    throw badValue("merge", where, [dimsA, dimsB], `factors A and B of a weight ${show([rows, columns])} of the base`);
  }
  const rank = patternValue(path, (config.rank_pattern ?? {}) as Named<number>, Number(config.r));
  if (rank !== r) throw badValue("merge", `${where}: rank`, r, `${rank}, which adapter_config.json says`);
  const alpha = patternValue(path, (config.alpha_pattern ?? {}) as Named<number>, Number(config.lora_alpha));
  const scale = weight * alpha / (config.use_rslora === true ? Math.sqrt(r) : r);
  // Conv1D stores [in, out]; where the matrix is square, the config tells.
  const transposed = table || !plain || (turned && config.fan_in_fan_out === true);
  const magnitude = keys.get(".lora_magnitude_vector");
  const dora = config.use_dora === true;
  if (dora !== (magnitude !== undefined)) {
    throw badValue("merge", `${where}: use_dora`, dora, `${!dora}: its magnitudes are ${dora ? "missing" : "there"}`);
  }
  if (magnitude !== undefined && sizeOf(adapter.form(magnitude).dims) !== outFeatures) {
    throw badValue("merge", `${where}: lora_magnitude_vector`, adapter.form(magnitude).dims, `${outFeatures} values`);
  }
  if (dora && weight !== 1) throw badValue("merge", `${label}: weight`, weight, "1: DoRA's magnitudes are not scaled");
  const biasKey = keys.get(".lora_B.bias");
  if (biasKey !== undefined && sizeOf(adapter.form(biasKey).dims) !== outFeatures) {
    throw badValue("merge", `${where}: lora_B.bias`, adapter.form(biasKey).dims, `${outFeatures} values`);
  }
  return {
    weight: {
      start: async (stored) => {
        const [a, b] = [(await adapter.read(keyA)).data, (await adapter.read(keyB)).data];
        // The update of row i is Σₖ left(i, k) · right[k].
        const left = transposed ? a : b;
        const right = transposed ? turnedOver(b, outFeatures, r) : a;
        const sum = new Float64Array(columns);
        const add = (values: Float32Array, firstRow: number): void => {
          for (let at = 0, i = firstRow; at < values.length; at += columns, i++) {
            sum.fill(0);
            for (let k = 0; k < r; k++) {
              const factor = scale * (left[transposed ? k * rows + i : i * r + k] ?? 0);
              for (let j = 0; j < columns; j++) sum[j] = (sum[j] ?? 0) + factor * (right[k * columns + j] ?? 0);
            }
            // The update of a table is rounded to the table's dtype by itself, as in PEFT.
            const update = table && !dora ? rounded(Float32Array.from(sum), stored.dtype) : sum;
            for (let j = 0; j < columns; j++) values[at + j] = (values[at + j] ?? 0) + (update[j] ?? 0);
          }
        };
        if (magnitude === undefined) return add;
        const sizes = (await adapter.read(magnitude)).data;
        if (!transposed) {
          return (values, firstRow) => {
            add(values, firstRow);
            for (let at = 0, i = firstRow; at < values.length; at += columns, i++) {
              const row = values.subarray(at, at + columns);
              const factor = (sizes[i] ?? 0) / Math.sqrt(row.reduce((n, x) => n + x * x, 0));
              row.forEach((x, j) => (row[j] = x * factor));
            }
          };
        }
        const squares = new Float64Array(columns);
        for await (const { values, firstRow } of stored.blocks()) {
          add(values, firstRow);
          values.forEach((x, i) => (squares[i % columns] = (squares[i % columns] ?? 0) + x * x));
        }
        const factors = squares.map((square, j) => (sizes[j] ?? 0) / Math.sqrt(square));
        return (values, firstRow) => {
          add(values, firstRow);
          values.forEach((x, i) => (values[i] = x * (factors[i % columns] ?? 0)));
        };
      },
    },
    outFeatures,
    ...(biasKey === undefined ? {} : { bias: biasChange(adapter, biasKey, (x, own) => x + scale * own) }),
  };
}

// y = (W x) l, or W (x l) in feed-forward layers, whose vector is [1, in].
function ia3Changes({ path, keys, rows, columns, adapter, weight }: Module): Changes {
  const key = keys.get(".ia3_l") ?? "";
  if (keys.size !== 1 || key === "") throw missing("merge", "ia3_l", `${adapter.label}: ${path}`);
  const { dims } = adapter.form(key);
  const size = sizeOf(dims);
  const feedForward = dims.length === 2 && dims[0] === 1 && !(size === 1 && dims[1] === 1 && rows === 1);
  const square = rows === columns && adapter.config.fan_in_fan_out === true;
  // Over rows where the vector is of outputs and W is [out, in], or of inputs and W is [in, out].
  const overRows = rows === columns ? feedForward === square : size === rows;
  if (dims.length !== 2 || (dims[0] !== 1 && dims[1] !== 1) || size !== (overRows ? rows : columns)) {
    throw badValue(
      "merge",
      `${adapter.label}: ${path}`,
      dims,
      `a vector for a weight ${show([rows, columns])} of the base`,
    );
  }
  return {
    weight: {
      start: async () => {
        const { data } = await adapter.read(key);
        return (values, firstRow) => {
          for (let i = 0; i < values.length; i++) {
            const at = overRows ? firstRow + Math.floor(i / columns) : i % columns;
            values[i] = (values[i] ?? 0) * weight * (data[at] ?? 0);
          }
        };
      },
    },
    outFeatures: size,
    ...(feedForward ? {} : { bias: biasChange(adapter, key, (x, own) => x * weight * own) }),
  };
}

function biasChange(adapter: OpenedAdapter, key: string, of: (x: number, own: number) => number): Change {
  return {
    start: async () => {
      const { data } = await adapter.read(key);
      return (values) => values.forEach((x, i) => (values[i] = of(x, data[i] ?? 0)));
    },
  };
}

function rounded(values: Float32Array, dtype: DType): Float32Array {
  if (dtype === "float32") return values;
  return toFloat32({ dtype, dims: [values.length], data: viewOf(dtype, fromFloat32(values, dtype)) }).data;
}

function turnedOver(values: Float32Array, rows: number, columns: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = values[i * columns + j] ?? 0;
  return out;
}

/** What a tensor of the base is in the merged file: integers with scales become floats. */
function formOf(base: StoredWeights, name: string): TensorForm {
  const found = base.locate(name);
  if (!found) throw missing("merge", `tensor ${show(name)}`, "the base");
  return { dtype: base.part(name) ? found.dtype : "float32", dims: found.dims };
}

async function* bytesOf(base: StoredWeights, name: string, { dtype, dims }: TensorForm): AsyncIterable<Uint8Array> {
  const part = base.part(name);
  if (!part) return yield fromFloat32((await base.read(name)).data, dtype);
  const total = sizeOf(dims) * bytesPerElement[dtype];
  for (let at = 0; at < total; at += BLOCK) yield await part(at, Math.min(BLOCK, total - at));
}

/** A tensor's rows in blocks of their own memory; a bias is one row. */
function rowsOf(base: StoredWeights, name: string, { dtype, dims }: TensorForm, owned: boolean): Rows {
  const columns = dims.at(-1) ?? 1;
  const rows = sizeOf(dims) / columns;
  const each = columns * bytesPerElement[dtype];
  const most = Math.max(1, Math.floor(BLOCK / each));
  return {
    dtype,
    columns,
    blocks: async function* () {
      const part = base.part(name);
      const all = part ? undefined : (await base.read(name)).data;
      for (let firstRow = 0; firstRow < rows; firstRow += most) {
        const count = Math.min(most, rows - firstRow);
        const bytes = part && await part(firstRow * each, count * each);
        const found = bytes
          ? toFloat32({ dtype, dims: [count, columns], data: viewOf(dtype, bytes) }).data
          : all?.subarray(firstRow * columns, (firstRow + count) * columns) ?? new Float32Array();
        if (bytes && owned && dtype !== "float32") released(bytes);
        // What a store has given may be its own.
        yield { values: dtype === "float32" && !(bytes && owned) ? found.slice() : found, firstRow };
      }
    },
  };
}

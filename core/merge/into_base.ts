/**
 * An adapter folded into a checkpoint, tensor by tensor: large ones in blocks of rows, so that neither model nor matrix
 * is in memory at once. Names and sizes alone say what is what; no model is built.
 * @module
 */
import { released } from "../bytes.ts";
import { badValue, missing, refused, show, unsupported } from "../errors.ts";
import { patternValue } from "../modules.ts";
import {
  fromFloat32,
  type StoredWeights,
  streamSafetensors,
  type TensorForm,
  toFloat32,
  viewOf,
} from "../safetensors.ts";
import { bytesPerElement, type DType, sizeOf } from "../tensor.ts";
import type { Json, Named, Store } from "../types.ts";
import { writeHead } from "./adapters.ts";
import type { OpenedAdapter } from "./config.ts";

/** A merged model: its tensors' forms, in the base's order and dtypes, and their bytes, computed when they are read. */
export type MergedModel = Readonly<{
  forms: Named<TensorForm>;
  /** The names of a classifier's classes, where the adapter has them. */
  head?: Named<Json> | undefined;
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

/**
 * What a base becomes with an adapter of LoRA, rsLoRA, DoRA or IA3 folded in, as PEFT's merge_and_unload has it.
 * `weight` scales the update. `owned`: what parts of the base are read as is nobody else's, and need not be copied.
 *
 * @throws AttuneError that names the tensor, where adapter and base do not fit. No tensor of the base has been read then.
 */
export function mergeIntoBase(
  base: StoredWeights,
  adapter: OpenedAdapter,
  { weight = 1, owned = false }: Readonly<{ weight?: number; owned?: boolean }> = {},
): MergedModel {
  const type = adapter.config.peft_type;
  if (type !== "LORA" && type !== "IA3") throw badValue("merge", `${adapter.label}: peft_type`, type, "LORA or IA3");
  if (!Number.isFinite(weight)) throw badValue("merge", "weight", weight, "a finite number");
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
    own.set(part.replace(".lora_magnitude_vector.weight", ".lora_magnitude_vector"), key);
    modules.set(path, own);
  }
  const find = namesIn(base, [...modules.keys()].map((path) => `${path}.weight`), [...whole.keys()], adapter.label);
  const changes = new Map<string, Change>();
  for (const [path, keys] of modules) {
    const name = find.inBase(`${path}.weight`);
    const bias = find.inBase(`${path}.bias`);
    const form = formOf(base, name);
    if (!floats.has(form.dtype)) {
      throw unsupported("merge", name, form.dtype, "adapted weights are float32, float16 or bfloat16");
    }
    const [rows = 0, columns = 0] = form.dims;
    if (form.dims.length !== 2) throw badValue("merge", `base: ${name}`, form.dims, "a matrix");
    const module: Module = { path, keys, rows, columns, adapter, weight };
    const made = type === "IA3" ? ia3Changes(module) : loraChanges(module);
    changes.set(name, made.weight);
    if (!made.bias) continue;
    if (base.names.includes(bias)) {
      const { dims } = formOf(base, bias);
      if (dims.join() !== String(made.outFeatures)) {
        throw badValue("merge", `base: ${bias}`, dims, `${made.outFeatures} values`);
      }
      changes.set(bias, made.bias);
    } else if (type === "LORA") throw missing("merge", `tensor "${bias}", which ${adapter.label} adapts,`, "the base");
  }
  const forms: Record<string, TensorForm> = Object.create(null);
  const sources = new Map<string, { stored?: string; key?: string }>();
  for (const stored of base.names) {
    forms[find.out(stored)] = formOf(base, stored);
    sources.set(find.out(stored), { stored });
  }
  for (const [name, key] of whole) {
    const out = find.out(find.inBase(name));
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
    pieces: async function* (name) {
      const form = forms[name];
      const { stored, key } = sources.get(name) ?? {};
      if (!form) throw missing("merge", `tensor ${show(name)}`, "the merged model");
      if (key !== undefined) return yield fromFloat32((await adapter.read(key)).data.slice(), form.dtype);
      if (stored === undefined) return;
      const change = changes.get(stored);
      if (!change) return yield* bytesOf(base, stored, form);
      const rows = rowsOf(base, stored, form, owned);
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
    await to.put(name, file.bytes);
    written.push(name);
  }
  return [...written, ...await writeHead(model, to)];
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
  ".lora_magnitude_vector.weight",
  ".ia3_l",
];
const floats: ReadonlySet<DType> = new Set<DType>(["float32", "float16", "bfloat16"]);

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

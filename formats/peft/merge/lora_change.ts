/** Merging of a LoRA or DoRA update into a weight. */
import { badValue, missing, show } from "../../../core/base/errors.ts";
import { transposeMatrix } from "../../../core/math/transpose.ts";
import { alphaOf, loraScale, rankOf } from "../lora_scale.ts";
import { fromFloat32, toFloat32, viewOf } from "../../../core/files/safetensors.ts";
import { type DType, sizeOf } from "../../../core/base/tensor.ts";
import { biasChange, type Changes, type Module } from "./module_change.ts";
import type { Rows } from "./stored_rows.ts";

/** Adds an update to rows of a weight. */
type AddUpdate = (values: Float32Array, firstRow: number) => void;

/** The factors of an update, and how they relate to the weight. */
type Update = Readonly<{
  keyA: string;
  keyB: string;
  /** Whether the weight is an embedding table. */
  table: boolean;
  /** Whether the weight is [in, out]. */
  isTransposed: boolean;
  r: number;
  outFeatures: number;
  scale: number;
}>;

/** Returns the changes of a LoRA or DoRA update. Throws AttuneError if it does not fit the weight or its config. */
export function loraChanges(module: Module): Changes {
  const { adapter } = module;
  const update = updateOf(module);
  const magnitude = magnitudeOf(module, update.outFeatures);
  const bias = biasOf(module, update.outFeatures);
  return {
    weight: {
      start: async (stored) => {
        const add = await adderOf(module, update, stored.dtype, magnitude !== undefined);
        if (magnitude === undefined) return add;
        const sizes = (await adapter.read(magnitude)).data;
        return update.isTransposed
          ? await withColumnNorms(add, sizes, stored)
          : withRowNorms(add, sizes, stored.columns);
      },
    },
    outFeatures: update.outFeatures,
    ...(bias === undefined ? {} : { bias: biasChange(adapter, bias, (x, b) => x + update.scale * b) }),
  };
}

function updateOf({ path, keys, rows, columns, adapter, weight }: Module): Update {
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
  const rank = rankOf(config, path);
  if (rank !== r) throw badValue("merge", `${where}: rank`, r, `${rank}, which adapter_config.json says`);
  // Conv1D stores [in, out]; for a square matrix the config decides.
  const isTransposed = table || !plain || (turned && config.fan_in_fan_out === true);
  const scale = loraScale(weight * alphaOf(config, path), r, config.use_rslora === true);
  return { keyA, keyB, table, isTransposed, r, outFeatures, scale };
}

/** Returns the key of DoRA's magnitudes, if the adapter has them. */
function magnitudeOf({ path, keys, adapter, weight }: Module, outFeatures: number): string | undefined {
  const { label, config } = adapter;
  const where = `${label}: ${path}`;
  const magnitude = keys.get(".lora_magnitude_vector");
  const dora = config.use_dora === true;
  if (dora !== (magnitude !== undefined)) {
    throw badValue("merge", `${where}: use_dora`, dora, `${!dora}: its magnitudes are ${dora ? "missing" : "there"}`);
  }
  if (magnitude !== undefined && sizeOf(adapter.form(magnitude).dims) !== outFeatures) {
    throw badValue("merge", `${where}: lora_magnitude_vector`, adapter.form(magnitude).dims, `${outFeatures} values`);
  }
  if (dora && weight !== 1) {
    throw badValue("merge", `${label}: weight`, weight, "1, because DoRA's magnitudes cannot be scaled");
  }
  return magnitude;
}

function biasOf({ path, keys, adapter }: Module, outFeatures: number): string | undefined {
  const key = keys.get(".lora_B.bias");
  if (key !== undefined && sizeOf(adapter.form(key).dims) !== outFeatures) {
    const where = `${adapter.label}: ${path}`;
    throw badValue("merge", `${where}: lora_B.bias`, adapter.form(key).dims, `${outFeatures} values`);
  }
  return key;
}

/** Returns a function that adds s B A by rows: row i of the update is the sum of left(i, k) right[k] over k. */
async function adderOf(
  { adapter, rows, columns }: Module,
  { keyA, keyB, table, isTransposed, r, outFeatures, scale }: Update,
  dtype: DType,
  dora: boolean,
): Promise<AddUpdate> {
  const [a, b] = [(await adapter.read(keyA)).data, (await adapter.read(keyB)).data];
  const left = isTransposed ? a : b;
  const right = isTransposed ? transposeMatrix(b, outFeatures, r) : a;
  const sum = new Float64Array(columns);
  return (values, firstRow) => {
    for (let at = 0, i = firstRow; at < values.length; at += columns, i++) {
      sum.fill(0);
      for (let k = 0; k < r; k++) {
        const factor = scale * (left[isTransposed ? k * rows + i : i * r + k] ?? 0);
        for (let j = 0; j < columns; j++) sum[j] = (sum[j] ?? 0) + factor * (right[k * columns + j] ?? 0);
      }
      // As in PEFT, the update of an embedding table is itself rounded to the table's dtype.
      const update = table && !dora ? roundTo(Float32Array.from(sum), dtype) : sum;
      for (let j = 0; j < columns; j++) values[at + j] = (values[at + j] ?? 0) + (update[j] ?? 0);
    }
  };
}

/** Applies DoRA to a weight [out, in]: each row gets its magnitude. */
function withRowNorms(add: AddUpdate, sizes: Float32Array, columns: number): AddUpdate {
  return (values, firstRow) => {
    add(values, firstRow);
    for (let at = 0, i = firstRow; at < values.length; at += columns, i++) {
      const row = values.subarray(at, at + columns);
      const factor = (sizes[i] ?? 0) / Math.sqrt(row.reduce((n, x) => n + x * x, 0));
      row.forEach((x, j) => (row[j] = x * factor));
    }
  };
}

/** Applies DoRA to a weight [in, out]: each column gets its magnitude, so the norms take a first pass over all rows. */
async function withColumnNorms(add: AddUpdate, sizes: Float32Array, stored: Rows): Promise<AddUpdate> {
  const { columns } = stored;
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
}

function roundTo(values: Float32Array, dtype: DType): Float32Array {
  if (dtype === "float32") return values;
  return toFloat32({ dtype, dims: [values.length], data: viewOf(dtype, fromFloat32(values, dtype)) }).data;
}

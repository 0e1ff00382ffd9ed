/** Merges an attached LoRA or DoRA into the weights. */
import { badValue } from "../../../core/base/errors.ts";
import { unpoolFactor } from "../../../formats/quantization/pooled_inputs.ts";
import { deltaOf, factor, first, type LoraPlan, magnitudeOf, type Matrix, tableFactor } from "./plan.ts";
import { withRows } from "./token_rows.ts";

/** Returns a parameter with its update merged. */
export function mergeLayer(plan: LoraPlan, name: string, value: Matrix, read: (name: string) => Matrix): Matrix {
  const {
    plugin,
    options: { loraBias, useDora },
    backbone,
    targets,
    tokens,
    shares,
    updateOf,
    scaleOf,
    pool,
    parted,
  } = plan;
  const dot = name.lastIndexOf(".");
  const [path, part] = [name.slice(0, dot), name.slice(dot + 1)];
  const rows = tokens.get(path) ?? tokens.get((backbone.ties[name] ?? "").replace(/\.weight$/, ""));
  if (rows && part === "weight") value = withRows(value, rows.ids, read(deltaOf(rows.path)));
  if (!targets.has(path)) return value;
  const scale = scaleOf(path);
  if (part === "bias") return loraBias ? sumOf(value, read(`${path}.lora_B.bias`), scale) : value;
  if (loraBias && !backbone.parameters.includes(`${path}.bias`)) {
    throw badValue(plugin, path, "loraBias", "a layer with a bias, to merge it into");
  }
  if (backbone.embeddings.includes(path) || shares(path)) {
    return plusProduct(
      value,
      read(tableFactor(updateOf(path), "A")),
      read(tableFactor(updateOf(path), "B")),
      scale,
      true,
    );
  }
  const a = pool === undefined ? read(factor(path, "A")) : unpoolFactor(read(factor(path, "A")), pool);
  let result = plusProduct(value, a, read(factor(path, "B")), scale, false);
  if (parted) result = plusProduct(result, read(first(path, "A")), read(first(path, "B")), -scale, false);
  return useDora ? rescaled(result, read(magnitudeOf(path))) : result;
}

function sumOf(x: Matrix, y: Matrix, scale: number): Matrix {
  return { ...x, data: x.data.map((value, i) => value + scale * (y.data[i] ?? 0)) };
}

/** Returns W + scale · B A, summed in float64; for an embedding table W + scale · (B A)ᵀ. */
function plusProduct(weight: Matrix, a: Matrix, b: Matrix, scale: number, table: boolean): Matrix {
  const [rows = 0, columns = 0] = weight.dims;
  const r = a.dims[0] ?? 0;
  const data = Float32Array.from(weight.data);
  const row = new Float64Array(columns);
  const [inA, inB] = [a.dims[1] ?? 0, b.dims[1] ?? 0];
  for (let i = 0; i < rows; i++) {
    row.fill(0);
    for (let k = 0; k < r; k++) {
      const factor = (table ? a.data[k * inA + i] : b.data[i * inB + k]) ?? 0;
      for (let j = 0; j < columns; j++) {
        row[j] = (row[j] ?? 0) + factor * ((table ? b.data[j * inB + k] : a.data[k * inA + j]) ?? 0);
      }
    }
    for (let j = 0; j < columns; j++) data[i * columns + j] = (data[i * columns + j] ?? 0) + scale * (row[j] ?? 0);
  }
  return { dtype: "float32", dims: weight.dims, data };
}

/** Returns the length of each row; `transposed`: of each column. */
export function rowNorms(
  data: Float32Array,
  [rows = 1, columns = 1]: readonly number[],
  transposed = false,
): Float32Array {
  return Float32Array.from({ length: rows }, (_, i) => {
    let total = 0;
    for (let j = 0; j < columns; j++) total += (data[transposed ? j * rows + i : i * columns + j] ?? 0) ** 2;
    return Math.sqrt(total);
  });
}

function rescaled(weight: Matrix, magnitude: Matrix): Matrix {
  const norms = rowNorms(weight.data, weight.dims);
  const columns = weight.dims[1] ?? 1;
  const data = weight.data.map((value, i) => {
    const row = Math.floor(i / columns);
    return (value * (magnitude.data[row] ?? 0)) / (norms[row] ?? 1);
  });
  return { ...weight, data };
}

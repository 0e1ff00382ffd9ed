/** How a LoRA is saved where that differs from training: first products as further ranks, and shared parameters. */
import { transposeMatrix } from "../../../core/math/transpose.ts";
import type { InspectedBackbone, Named, Tensor } from "../../../core/types.ts";
import { factor, first, type Matrix, tableFactor } from "./plan.ts";
import type { Tied } from "./tied.ts";

/** Appends the subtracted first product as r further ranks, as PEFT itself converts such adapters. */
export async function withFirstProducts(
  targets: ReadonlySet<string>,
  backbone: InspectedBackbone,
  read: (name: string) => Promise<Matrix>,
): Promise<Named<Tensor>> {
  const tensors: Record<string, Tensor> = {};
  for (const path of targets) {
    if (backbone.embeddings.includes(path)) continue;
    const [a, a0] = [await read(factor(path, "A")), await read(first(path, "A"))];
    const [bb, b0] = [await read(factor(path, "B")), await read(first(path, "B"))];
    tensors[`base_model.model.${factor(path, "A")}`] = stackedRows(a, a0);
    tensors[`base_model.model.${factor(path, "B")}`] = besideNegated(bb, b0);
  }
  return tensors;
}

/** Saves what modules share under the name of each of them. */
export async function underAllNames(
  { source, modules, part }: Tied,
  read: (name: string) => Promise<Matrix>,
): Promise<Named<Tensor>> {
  const tensors: Record<string, Tensor> = {};
  for (const path of modules) {
    if (part === "whole") tensors[`base_model.model.${path}.weight`] = await read(`${source}.weight`);
    else {
      tensors[`base_model.model.${factor(path, "A")}`] = turned(await read(tableFactor(source, "B")));
      tensors[`base_model.model.${factor(path, "B")}`] = turned(await read(tableFactor(source, "A")));
    }
  }
  return tensors;
}

function turned({ dtype, dims: [rows = 1, columns = 1], data }: Matrix): Matrix {
  return { dtype, dims: [columns, rows], data: transposeMatrix(data, rows, columns) };
}

function stackedRows(a: Matrix, b: Matrix): Matrix {
  const data = new Float32Array(a.data.length + b.data.length);
  data.set(a.data);
  data.set(b.data, a.data.length);
  return { dtype: "float32", dims: [(a.dims[0] ?? 0) + (b.dims[0] ?? 0), a.dims[1] ?? 0], data };
}

function besideNegated(a: Matrix, b: Matrix): Matrix {
  const [rows = 0, r = 0] = a.dims;
  const data = new Float32Array(2 * rows * r);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < r; k++) {
      data[2 * i * r + k] = a.data[i * r + k] ?? 0;
      data[(2 * i + 1) * r + k] = -(b.data[i * r + k] ?? 0);
    }
  }
  return { dtype: "float32", dims: [rows, 2 * r], data };
}

/** Copying of parameters between the checkpoint and memory, where tables have only active rows. */
import { sizeOf, type Tensor } from "../../base/tensor.ts";
import type { Parameter } from "../builder/parameters.ts";
import type { TrainableParameter } from "./memory.ts";

/** The initial values of parameters. */
export type FirstValues = Readonly<{ read(p: Parameter): Promise<Tensor<Float32Array>> }>;

/** Reads a parameter's initial values into memory. */
export async function readFirstValues(t: TrainableParameter, p: Parameter, initial: FirstValues): Promise<void> {
  const { data } = await initial.read(p);
  if (!t.rows) return t.span.parameter.set(data);
  const width = sizeOf(t.shape.slice(1));
  t.rows.forEach((row, i) => t.span.parameter.set(data.subarray(row * width, (row + 1) * width), i * width));
}

/** Returns a parameter with all of its rows; rows that no data names are scaled by `factor`. */
export async function readWhole(
  t: TrainableParameter,
  p: Parameter,
  initial: FirstValues,
  factor: number,
): Promise<Tensor<Float32Array>> {
  if (!t.rows) return { dtype: "float32", dims: p.shape, data: Float32Array.from(t.span.parameter) };
  const data = Float32Array.from((await initial.read(p)).data);
  const width = sizeOf(p.shape.slice(1));
  if (factor !== 1) { for (let i = 0; i < data.length; i++) data[i] = (data[i] ?? 0) * factor; }
  t.rows.forEach((row, i) => data.set(t.span.parameter.subarray(i * width, (i + 1) * width), row * width));
  return { dtype: "float32", dims: p.shape, data };
}

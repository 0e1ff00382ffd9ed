/**
 * Which dtypes each execution provider has kernels for, per op: data. A probe (`test/probe.ts`) makes the CPU's, and a
 * test compares; 16-bit floats are left out, which the CPU computes through casts.
 * @module
 */
import type { DType } from "../tensor.ts";
import type { Op } from "./ops.ts";

/** Op → dtypes of its first tensor that have a kernel. */
export type Capabilities = { readonly [O in Op]: readonly DType[] };

const f: readonly DType[] = ["float32"];
const fi: readonly DType[] = ["float32", "int32"];
const any: readonly DType[] = ["float32", "int32", "int64", "bool"];
const numbers: readonly DType[] = ["float32", "int32", "int64"];

/** onnxruntime-node's CPU provider, version 1.30; the WebAssembly build has the same kernels. */
export const cpu: Capabilities = {
  Identity: any,
  Neg: numbers,
  Abs: numbers,
  Sign: numbers,
  Sqrt: f,
  Reciprocal: f,
  Exp: f,
  Log: f,
  Sin: f,
  Cos: f,
  Erf: f,
  Tanh: f,
  Sigmoid: f,
  Softplus: f,
  Relu: fi,
  HardSigmoid: f,
  Gelu: f,
  QuickGelu: f,
  Not: ["bool"],
  Cast: any,
  Add: numbers,
  Sub: numbers,
  Mul: numbers,
  Div: numbers,
  Pow: numbers,
  Max: numbers,
  Min: numbers,
  Equal: any,
  Less: numbers,
  Greater: numbers,
  And: ["bool"],
  Or: ["bool"],
  Where: numbers,
  MatMul: numbers,
  FusedMatMul: f,
  Gemm: f,
  Transpose: any,
  Reshape: any,
  Expand: any,
  Concat: any,
  Slice: any,
  Gather: any,
  GatherElements: any,
  ScatterND: any,
  ScatterElements: any,
  Softmax: f,
  LogSoftmax: f,
  ReduceSum: numbers,
  ReduceMean: numbers,
  ReduceMax: any,
  ArgMax: numbers,
  LayerNormalization: f,
  SimplifiedLayerNormalization: f,
};

/** The WebGPU provider: what is missing here falls back to the CPU, with copies. */
const webgpu: Capabilities = {
  ...cpu,
  FusedMatMul: [],
  LogSoftmax: [],
  ScatterND: f,
  ScatterElements: f,
  ReduceMean: fi,
  ReduceMax: numbers,
  ArgMax: fi,
  Sin: [],
  Cos: [],
  Sign: [],
  Add: fi,
  Sub: fi,
  Mul: fi,
  Div: fi,
  Equal: fi,
  Less: fi,
  Greater: fi,
};

/** By provider. */
export const capabilities: Readonly<Record<"cpu" | "wasm" | "webgpu" | "cuda", Capabilities>> = {
  cpu,
  wasm: cpu,
  webgpu,
  cuda: cpu,
};

/**
 * The op set: standard ONNX ops and a few of com.microsoft for which inference packages have kernels.
 *
 * A new op compiles only once it has a record in its family's file (see `record.ts`) and a line in the reference
 * interpreter.
 */
import type { DType } from "../../base/tensor.ts";
import type { Dim, Shape } from "./dims.ts";

/** No attributes. */
export type None = Readonly<Record<never, never>>;

/** Elementwise ops and their attributes. */
export interface ElementwiseOps {
  // one tensor
  Identity: None;
  Neg: None;
  Abs: None;
  Sign: None;
  Sqrt: None;
  Reciprocal: None;
  Exp: None;
  Log: None;
  Sin: None;
  Cos: None;
  Erf: None;
  Tanh: None;
  Sigmoid: None;
  Softplus: None;
  Relu: None;
  HardSigmoid: Readonly<{ alpha: number; beta: number }>;
  Gelu: Readonly<{ approximate: "none" | "tanh" }>;
  /** x · σ(alpha · x), of com.microsoft; alpha 1 is SiLU. */
  QuickGelu: Readonly<{ alpha: number }>;
  Not: None;
  Cast: Readonly<{ to: DType }>;
  // two tensors, broadcast
  Add: None;
  Sub: None;
  Mul: None;
  Div: None;
  Pow: None;
  Max: None;
  Min: None;
  Equal: None;
  Less: None;
  Greater: None;
  And: None;
  Or: None;
  Where: None;
}

/** Matrix products, and their attributes. */
export interface ProductOps {
  MatMul: None;
  /** alpha · A' B', where A' and B' are A and B or their transposes over the last two axes; of com.microsoft. */
  FusedMatMul: Readonly<{ alpha: number; transA: 0 | 1; transB: 0 | 1 }>;
  /** alpha · A' B' + C on matrices. */
  Gemm: Readonly<{ alpha: number; transA: 0 | 1; transB: 0 | 1 }>;
}

/** Ops that rearrange elements, and their attributes. */
export interface ArrangementOps {
  Transpose: Readonly<{ perm: readonly number[] }>;
  Reshape: Readonly<{ shape: Shape }>;
  Expand: Readonly<{ shape: Shape }>;
  Concat: Readonly<{ axis: number }>;
  /** Elements `start` to `end` (exclusive; null: to the last) of an axis; both may be symbolic. */
  Slice: Readonly<{ axis: number; start: Dim; end: Dim | null }>;
}

/** Ops that look up or add to elements by index, and their attributes. */
export interface IndexOps {
  Gather: Readonly<{ axis: number }>;
  GatherElements: Readonly<{ axis: number }>;
  /** `data` with `updates` added to the indexed rows: data [n, ...], indices [m, 1] int64, updates [m, ...]. */
  ScatterND: None;
  /** `data` with `updates` added to the indexed elements along an axis. */
  ScatterElements: Readonly<{ axis: number }>;
}

/** Ops along axes, and their attributes. */
export interface AxisOps {
  Softmax: Readonly<{ axis: number }>;
  LogSoftmax: Readonly<{ axis: number }>;
  ReduceSum: Readonly<{ axes: readonly number[]; keepdims: 0 | 1 }>;
  ReduceMean: Readonly<{ axes: readonly number[]; keepdims: 0 | 1 }>;
  ReduceMax: Readonly<{ axes: readonly number[]; keepdims: 0 | 1 }>;
  /** The index of the largest element along an axis, the first of several; int64. */
  ArgMax: Readonly<{ axis: number }>;
  /** Over the last axis; outputs: y, mean, 1/σ. */
  LayerNormalization: Readonly<{ epsilon: number }>;
  /** Root mean square norm over the last axis; outputs: y, 1/rms. */
  SimplifiedLayerNormalization: Readonly<{ epsilon: number }>;
}

/** The attributes of each op. */
export interface Ops extends ElementwiseOps, ProductOps, ArrangementOps, IndexOps, AxisOps {}

/** The name of an op. */
export type Op = keyof Ops;

/**
 * The op set: standard ONNX ops, and a few of com.microsoft, that inference packages have kernels for.
 *
 * A new line here compiles only with a record of its family (`record.ts` says what that holds) and a line of the
 * reference interpreter.
 */
import type { DType } from "../../base/tensor.ts";
import type { Dim, Shape } from "./dims.ts";

/** No attributes. */
export type None = Readonly<Record<never, never>>;

/** Ops that treat every element alone, and their attributes. */
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
  /** alpha · A B with A, B transposed on their last two axes where asked; of com.microsoft. */
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
  /** Elements start to end (excluded; null: the last) of an axis; the two may be sums of names. */
  Slice: Readonly<{ axis: number; start: Dim; end: Dim | null }>;
}

/** Ops that look up or add to elements by index, and their attributes. */
export interface IndexOps {
  Gather: Readonly<{ axis: number }>;
  GatherElements: Readonly<{ axis: number }>;
  /** data with updates added at rows: data [n, ...], indices [m, 1] int64, updates [m, ...]. */
  ScatterND: None;
  /** data with updates added along an axis. */
  ScatterElements: Readonly<{ axis: number }>;
}

/** Ops along axes, and their attributes. */
export interface AxisOps {
  Softmax: Readonly<{ axis: number }>;
  LogSoftmax: Readonly<{ axis: number }>;
  ReduceSum: Readonly<{ axes: readonly number[]; keepdims: 0 | 1 }>;
  ReduceMean: Readonly<{ axes: readonly number[]; keepdims: 0 | 1 }>;
  ReduceMax: Readonly<{ axes: readonly number[]; keepdims: 0 | 1 }>;
  /** Where the largest of an axis is, the first of several; int64. */
  ArgMax: Readonly<{ axis: number }>;
  /** Over the last axis; outputs: y, mean, 1/σ. */
  LayerNormalization: Readonly<{ epsilon: number }>;
  /** Root mean square norm over the last axis; outputs: y, 1/rms. */
  SimplifiedLayerNormalization: Readonly<{ epsilon: number }>;
}

/** Op → attributes. */
export interface Ops extends ElementwiseOps, ProductOps, ArrangementOps, IndexOps, AxisOps {}

/** The name of an op. */
export type Op = keyof Ops;

/** The functions that graphs are written with, from values to values. Numbers broadcast; axes may be negative. */
import { type DType, f32, type Tensor } from "../../base/tensor.ts";
import { type Dim, mulDims, type Shape } from "./dims.ts";
import type { Op, Ops } from "./ops.ts";
import type { Value, Values } from "./value.ts";

/** Appends an op and returns its first output. */
export function apply<O extends Op>(op: O, inputs: Values, attrs: Ops[O]): Value {
  const graph = inputs.find((v) => v !== undefined)?.graph;
  const value = graph?.append(op, inputs, attrs)[0];
  if (!value) throw new RangeError(`${op} needs an input`);
  return value;
}

/** Returns a number as a scalar with the dtype of `like`. */
export function scalar(like: Value, value: number): Value {
  const data = like.dtype === "int32"
    ? Int32Array.of(value)
    : like.dtype === "int64"
    ? BigInt64Array.of(BigInt(value))
    : like.dtype === "bool"
    ? Uint8Array.of(value)
    : Float32Array.of(value);
  const dtype: DType = like.dtype === "int32" || like.dtype === "int64" || like.dtype === "bool"
    ? like.dtype
    : "float32";
  return like.graph.constant({ dtype, dims: [], data });
}

type Unary = (x: Value) => Value;
type Binary = (a: Value, b: Value | number) => Value;
type PlainUnary = { [O in Op]: Ops[O] extends Readonly<Record<never, never>> ? O : never }[Op];

const unary = (op: PlainUnary): Unary => (x) => apply(op, [x], {} as Ops[typeof op]);
const binary = (op: PlainUnary): Binary => (a, b) =>
  apply(op, [a, typeof b === "number" ? scalar(a, b) : b], {} as Ops[typeof op]);

/** -x */
export const neg: Unary = unary("Neg");
/** |x| */
export const abs: Unary = unary("Abs");
/** -1, 0 or 1 */
export const sign: Unary = unary("Sign");
/** √x */
export const sqrt: Unary = unary("Sqrt");
/** 1/x */
export const reciprocal: Unary = unary("Reciprocal");
/** eˣ */
export const exp: Unary = unary("Exp");
/** ln x */
export const log: Unary = unary("Log");
/** sin x */
export const sin: Unary = unary("Sin");
/** cos x */
export const cos: Unary = unary("Cos");
/** erf x */
export const erf: Unary = unary("Erf");
/** tanh x */
export const tanh: Unary = unary("Tanh");
/** 1 / (1 + e⁻ˣ) */
export const sigmoid: Unary = unary("Sigmoid");
/** ln(1 + eˣ) */
export const softplus: Unary = unary("Softplus");
/** max(x, 0) */
export const relu: Unary = unary("Relu");
/** Logical not of a bool. */
export const not: Unary = unary("Not");
/** a + b */
export const add: Binary = binary("Add");
/** a - b */
export const sub: Binary = binary("Sub");
/** a · b, element by element */
export const mul: Binary = binary("Mul");
/** a / b */
export const div: Binary = binary("Div");
/** aᵇ */
export const pow: Binary = binary("Pow");
/** The larger of two. */
export const maximum: Binary = binary("Max");
/** The smaller of two. */
export const minimum: Binary = binary("Min");
/** a = b, as bool */
export const equal: Binary = binary("Equal");
/** a < b, as bool */
export const less: Binary = binary("Less");
/** a > b, as bool */
export const greater: Binary = binary("Greater");
/** Logical and of two bools. */
export const and: Binary = binary("And");
/** Logical or of two bools. */
export const or: Binary = binary("Or");
/** A B over the last two axes. */
export const matmul: Binary = binary("MatMul");
/** x² */
export const square: Unary = (x) => mul(x, x);

/** x Φ(x) by erf, or its tanh approximation (Hendrycks & Gimpel 2016). */
export function gelu(x: Value, approximate: "none" | "tanh" = "none"): Value {
  return apply("Gelu", [x], { approximate });
}

/** x σ(x) (Elfwing et al. 2018). */
export function silu(x: Value): Value {
  return apply("QuickGelu", [x], { alpha: 1 });
}

/** The same numbers in another dtype. */
export function cast(x: Value, to: DType): Value {
  return x.dtype === to ? x : apply("Cast", [x], { to });
}

/** `a` where the condition holds, else `b`. */
export function where(condition: Value, a: Value | number, b: Value | number): Value {
  const like = typeof a !== "number" ? a : typeof b !== "number" ? b : condition.graph.constant(f32([], [0]));
  const operand = (x: Value | number): Value => (typeof x === "number" ? scalar(like, x) : x);
  return apply("Where", [condition, operand(a), operand(b)], {});
}

/** alpha · A' B', where A' and B' are A and B or their transposes over the last two axes. */
export function product(
  a: Value,
  b: Value,
  options: Readonly<{ alpha?: number; transA?: boolean; transB?: boolean }> = {},
): Value {
  const { alpha = 1, transA = false, transB = false } = options;
  if (alpha === 1 && !transA && !transB) return matmul(a, b);
  return apply("FusedMatMul", [a, b], { alpha, transA: transA ? 1 : 0, transB: transB ? 1 : 0 });
}

/** alpha · A' B' + C on matrices. */
export function gemm(
  a: Value,
  b: Value,
  c?: Value,
  options: Readonly<{ alpha?: number; transA?: boolean; transB?: boolean }> = {},
): Value {
  const { alpha = 1, transA = false, transB = false } = options;
  return apply("Gemm", c ? [a, b, c] : [a, b], { alpha, transA: transA ? 1 : 0, transB: transB ? 1 : 0 });
}

/** Axes reordered by `perm`; by default, the last two are swapped. */
export function transpose(x: Value, perm?: readonly number[]): Value {
  const rank = x.shape.length;
  const order = perm ?? Array.from({ length: rank }, (_, i) => (i < rank - 2 ? i : 2 * rank - 3 - i));
  return order.length === rank && order.every((p, i) => p === i) ? x : apply("Transpose", [x], { perm: order });
}

/** The same elements in another shape. */
export function reshape(x: Value, shape: Shape): Value {
  return x.shape.length === shape.length && x.shape.every((d, i) => d === shape[i])
    ? x
    : apply("Reshape", [x], { shape });
}

/** Values repeated along dims of size 1, up to `shape`. */
export function expand(x: Value, shape: Shape): Value {
  return x.shape.length === shape.length && x.shape.every((d, i) => d === shape[i])
    ? x
    : apply("Expand", [x], { shape });
}

/** Values concatenated along an axis. */
export function concat(values: readonly Value[], axis: number): Value {
  const first = values[0];
  if (values.length === 1 && first) return first;
  return apply("Concat", values, { axis: first ? positive(first, axis) : axis });
}

/** Elements `start` (inclusive) to `end` (exclusive; null: to the last) of an axis. */
export function slice(x: Value, axis: number, start: Dim, end: Dim | null): Value {
  return apply("Slice", [x], { axis: positive(x, axis), start, end });
}

/** Rows by index: [n, ...], [...] → [..., ...]. */
export function gather(rows: Value, indices: Value, axis = 0): Value {
  return apply("Gather", [rows, indices], { axis });
}

/** One element of the last axis for each index: [..., n], [...] int → [...]. */
export function pick(x: Value, indices: Value): Value {
  const index = reshape(indices, [...indices.shape, 1]);
  return reshape(apply("GatherElements", [x, index], { axis: x.shape.length - 1 }), indices.shape);
}

/** Sum along an axis, or of all elements. */
export function sum(x: Value, axis?: number, keepdims = false): Value {
  return apply("ReduceSum", [x], { axes: axesOf(x, axis), keepdims: keepdims ? 1 : 0 });
}

/** Mean along an axis, or of all elements. */
export function mean(x: Value, axis?: number, keepdims = false): Value {
  return apply("ReduceMean", [x], { axes: axesOf(x, axis), keepdims: keepdims ? 1 : 0 });
}

/** Maximum along an axis, or of all elements. */
export function max(x: Value, axis?: number, keepdims = false): Value {
  return apply("ReduceMax", [x], { axes: axesOf(x, axis), keepdims: keepdims ? 1 : 0 });
}

/** The index of the largest element of the last axis, the first of several: [..., n] → [...] int64. */
export function argmax(x: Value): Value {
  return apply("ArgMax", [x], { axis: x.shape.length - 1 });
}

/** eˣ / Σ eˣ along an axis. */
export function softmax(x: Value, axis = -1): Value {
  return apply("Softmax", [x], { axis: positive(x, axis) });
}

/** x - ln Σ eˣ along an axis. */
export function logSoftmax(x: Value, axis = -1): Value {
  return apply("LogSoftmax", [x], { axis: positive(x, axis) });
}

/** Layer normalization over the last axis (Ba et al. 2016). */
export function layerNorm(x: Value, weight: Value, bias: Value, epsilon: number): Value {
  return apply("LayerNormalization", [x, weight, bias], { epsilon });
}

/** Root mean square normalization over the last axis (Zhang & Sennrich 2019). */
export function rmsNorm(x: Value, weight: Value, epsilon: number): Value {
  return apply("SimplifiedLayerNormalization", [x, weight], { epsilon });
}

/** The value without its gradient. */
export function detach(x: Value): Value {
  return x.graph.withVjp([x], [x], () => [undefined])[0] as Value;
}

/** The value itself; its gradient is reversed and multiplied by a factor (Ganin & Lempitsky 2015). */
export function reverseGradient(x: Value, factor: number): Value {
  return x.graph.withVjp([x], [x], ([dy]) => [dy && mul(dy, -factor)])[0] as Value;
}

/** A constant tensor of the graph. */
export function constant(like: Value, tensor: Tensor): Value {
  return like.graph.constant(tensor);
}

/** Zeros of a symbolic shape. */
export function zeros(like: Value, shape: Shape): Value {
  return expand(like.graph.constant(f32([], [0])), shape);
}

/** Column sums of a matrix, [n, m] → [m], as a product with a row of ones: matrix products use all threads. */
export function columnSums(x: Value): Value {
  const [n, m] = [x.shape[0] ?? 1, x.shape[1] ?? 1];
  const ones = expand(x.graph.constant(f32([], [1])), [1, n]);
  return reshape(matmul(ones, x), [m]);
}

/** Merges all leading axes: [..., n] → [rows, n]. */
export function asMatrix(x: Value): Value {
  const last = x.shape[x.shape.length - 1] ?? 1;
  return reshape(x, [x.shape.slice(0, -1).reduce<Dim>(mulDims, 1), last]);
}

function axesOf(x: Value, axis: number | undefined): number[] {
  return axis === undefined ? x.shape.map((_, i) => i) : [positive(x, axis)];
}

function positive(x: Value, axis: number): number {
  return axis < 0 ? axis + x.shape.length : axis;
}

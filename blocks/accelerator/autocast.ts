/**
 * torch's autocast: matrix products take 16-bit operands and give 16-bit results, forward and backward; other ops
 * follow the dtypes of their operands, or run in float32 if the device's list says so.
 *
 * Graphs stay float32: a value that is a 16-bit tensor in torch is cast to 16 bits and back here, so that every kernel
 * computes in float32 and rounds once, as torch's do. The gradient of a cast is a cast back, so the gradient of a
 * 16-bit tensor has 16 bits too; sums of gradients of float32 tensors stay float32, as do master weights.
 */
import type { Append, Graph, Node, RequestedOp, Rewrite, Value } from "../../core/graph/graph.ts";
import type { Op } from "../../core/graph/ops/ops.ts";
import type { Provider } from "../../core/types.ts";

/** The 16-bit dtypes. */
export type Half = "float16" | "bfloat16";

const products: ReadonlySet<Op> = new Set<Op>(["MatMul", "FusedMatMul", "Gemm"]);

/** Ops that only move values: the result has the values of the first operand, or of all operands. */
const moves: ReadonlySet<Op> = new Set<Op>([
  "Identity",
  "Transpose",
  "Reshape",
  "Expand",
  "Slice",
  "Gather",
  "GatherElements",
  "Concat",
]);

/** Ops that autocast computes in float32 on CUDA; on the CPU they follow their operands. */
const preciseOnCuda: ReadonlySet<Op> = new Set<Op>([
  "Softmax",
  "LogSoftmax",
  "LayerNormalization",
  "Exp",
  "Log",
  "Pow",
  "Reciprocal",
  "Softplus",
  "ReduceSum",
]);

/** Returns the rewrite that autocasts a graph for a provider. */
export function autocast(half: Half, provider: Provider): Rewrite {
  const precise = provider === "cpu" || provider === "wasm" ? new Set<Op>() : preciseOnCuda;
  const known = new Map<Value, boolean>();
  /** Whether a value is a 16-bit tensor in torch. */
  const isHalf = (value: Value): boolean => {
    const before = known.get(value);
    if (before !== undefined) return before;
    const node = value.graph.producer(value);
    const casts = node?.op === "Cast" ? node.inputs[0]?.dtype === half : node !== undefined && moves.has(node.op) &&
      (node.op === "Concat" ? node.inputs : node.inputs.slice(0, 1)).every((x) => x && isHalf(x));
    known.set(value, casts);
    return casts;
  };
  return ({ op, inputs, attrs }, next, purpose) => {
    const rounded = (x: Value): Value => (isHalf(x) ? x : roundTo(half, x, next));
    if (op === "Cast") return castOnce({ op, inputs, attrs } as RequestedOp<"Cast">, next);
    const [a, b] = inputs;
    if (a && b && products.has(op) && a.dtype === "float32") {
      if (isUniform(a)) {
        // Column sums are written as products with ones.
        const sums = next(op, inputs, attrs);
        return isHalf(b) ? sums.map(rounded) : sums;
      }
      return [product({ op, inputs, attrs } as RequestedOp<Product>, next, rounded, isHalf)];
    }
    const outputs = next(op, inputs, attrs);
    if (purpose !== "outputs" || moves.has(op) || precise.has(op) || !hasHalfOperands({ op, inputs, attrs }, isHalf)) {
      return outputs;
    }
    const [first, ...others] = outputs;
    if (first?.dtype !== "float32") return outputs;
    const result = rounded(first);
    first.graph.replace(first, result);
    return [result, ...others];
  };
}

/** Returns a warning if the provider has no 16-bit arithmetic. */
export function slowProviderWarning(name: string, provider: Provider): string | undefined {
  if (provider !== "cpu" && provider !== "wasm") return undefined;
  return `${name} on the CPU gives the numbers of a 16-bit run, but is not faster: products are rounded to 16 bits, ` +
    "and computed in float32";
}

type Product = "MatMul" | "FusedMatMul" | "Gemm";

/**
 * Rounds the operands and the result of a product. The factor is applied after rounding, as in models; a linear layer's
 * bias is added before rounding.
 */
function product(
  { op, inputs: [a, b, c], attrs }: RequestedOp<Product>,
  next: Append,
  rounded: (x: Value) => Value,
  isHalf: (x: Value) => boolean,
): Value {
  const operand = (x: Value): Value => (isHalf(x) ? x : isOfModel(x) ? rounded(x) : roundForOne(x, rounded));
  const operands = [operand(a as Value), operand(b as Value)];
  const { alpha = 1, ...plain } = attrs as { alpha?: number; transA?: 0 | 1; transB?: 0 | 1 };
  const bias = c && alpha === 1 && isOfModel(c) ? [rounded(c)] : [];
  if (areScores(plain, operands)) return next(op, operands, attrs)[0] as Value;
  const given = op === "MatMul" ? {} : { ...plain, alpha: 1 };
  const joined = next(op, [...operands, ...bias], given as typeof attrs)[0] as Value;
  const result = rounded(alpha === 1 ? joined : next("Mul", [rounded(joined), number(joined, alpha)], {})[0] as Value);
  if (!c || bias.length > 0) return result;
  const sum = next("Add", [result, c], {})[0] as Value;
  return isHalf(c) ? rounded(sum) : sum;
}

/**
 * Whether a product computes attention scores (queries by keys) or their gradients: torch's fused attention keeps these
 * in float32, with factor and mask, and rounds the attention weights before they meet the values.
 */
function areScores({ transA, transB }: { transA?: 0 | 1; transB?: 0 | 1 }, [a]: readonly Value[]): boolean {
  return transB === 1 && transA === 0 && (a?.shape.length ?? 0) > 2;
}

/** Casts a value to 16 bits and back to float32. */
function roundTo(half: Half, x: Value, next: Append): Value {
  const narrow = castOnce({ op: "Cast", inputs: [x], attrs: { to: half } }, next);
  return next("Cast", narrow, { to: "float32" })[0] as Value;
}

/** Appends a cast, or reuses the 16-bit value if the operand was only just cast back from it. */
function castOnce({ op, inputs, attrs }: RequestedOp<"Cast">, next: Append): readonly Value[] {
  const [x] = inputs;
  const [before] = producerOf(x)?.op === "Cast" ? producerOf(x)?.inputs ?? [] : [];
  return x?.dtype === "float32" && before?.dtype === attrs.to ? [before] : next(op, inputs, attrs);
}

/**
 * Casts a float32 tensor anew for each product that reads it, so that the gradient of each reader is rounded by itself.
 */
function roundForOne(x: Value, rounded: (x: Value) => Value): Value {
  return x.graph.withVjp([x], [rounded(x)], ([dy]) => [dy], true)[0] as Value;
}

/** Whether a value is a parameter, perhaps reshaped or transposed: torch casts each once for all of its readers. */
function isOfModel(value: Value): boolean {
  const node = producerOf(value);
  if (node) return moves.has(node.op) && node.inputs[0] !== undefined && isOfModel(node.inputs[0]);
  return value.graph.origin(value)?.kind === "parameter";
}

/** Whether all operands of an op, apart from uniform constants, are 16-bit tensors. */
function hasHalfOperands({ op, inputs }: RequestedOp, isHalf: (x: Value) => boolean): boolean {
  // torch's RMS norms end in a product with a float32 weight; its layer norms have the dtype of their input.
  if (op === "SimplifiedLayerNormalization") return false;
  const read = op === "LayerNormalization" ? inputs.slice(0, 1) : inputs;
  const floats = read.filter((x) => x !== undefined && x.dtype === "float32" && !isUniform(x));
  return floats.length > 0 && floats.every((x) => x && isHalf(x));
}

/** Whether a value is a single constant, perhaps broadcast. */
function isUniform(value: Value): boolean {
  const node: Node | undefined = producerOf(value);
  if (node?.op === "Expand" || node?.op === "Reshape") return node.inputs[0] !== undefined && isUniform(node.inputs[0]);
  const origin = value.graph.origin(value);
  return origin?.kind === "constant" && origin.tensor.dims.length === 0;
}

function producerOf(value: Value | undefined): Node | undefined {
  return value?.graph.producer(value);
}

function number(like: Value, value: number): Value {
  const graph: Graph = like.graph;
  return graph.constant({ dtype: "float32", dims: [], data: Float32Array.of(value) });
}

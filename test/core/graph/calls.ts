/**
 * Calls of every op with symbolic dims and every dtype, with data: what inference, the runtime, the interpreter and the
 * gradient rules are compared on.
 */
import { type DimValues, evaluateShape, type Shape } from "../../../core/graph/ops/dims.ts";
import { Graph, type Value } from "../../../core/graph/graph.ts";
import type { Op, Ops } from "../../../core/graph/ops/ops.ts";
import { type DType, sizeOf } from "../../../core/base/tensor.ts";
import type { Reference } from "../../../conformance/oracle/interpreter.ts";

/** One input: its type, and a value for each element from a number that is uniform in (0, 1). */
export type CallInput = Readonly<{ dtype: DType; shape: Shape; value: (uniform: number) => number }>;

/**
 * One call. `refuses`: why it has no gradient, as the rule says it. `held`: inputs that must not be trained.
 */
export type CallOf<A> = Readonly<{
  inputs: readonly CallInput[];
  attrs: A;
  refuses?: RegExp;
  held?: readonly number[];
}>;

/** One call of an op. */
export type Call<O extends Op = Op> = CallOf<Ops[O]>;

/** What the names in shapes stand for. */
export const callDims: DimValues = { batch: 2, seq: 3, n: 4 };

const of = (dtype: DType, value: (u: number) => number) => (...shape: Shape): CallInput => ({ dtype, shape, value });
const f = of("float32", (u) => 6 * u - 3);
const positive = of("float32", (u) => 0.2 + 2 * u);
const far = of("float32", (u) => 200 * u - 100);
const weight = of("float32", (u) => 0.5 + u);
const int = of("int32", (u) => Math.floor(9 * u) - 4);
const long = of("int64", (u) => Math.floor(9 * u) - 4);
const nonzero = of("int32", (u) => (u < 0.5 ? -1 : 1) * (1 + Math.floor(4 * u)));
const bool = of("bool", (u) => (u < 0.5 ? 0 : 1));
const below = (bound: number) => of("int32", (u) => Math.floor(bound * u));
const longBelow = (bound: number) => of("int64", (u) => Math.floor(bound * u));

const call = <A>(attrs: A, ...inputs: readonly CallInput[]): CallOf<A> => ({ inputs, attrs });
const unary = (make: (...shape: Shape) => CallInput, ...more: readonly CallInput[]): Call<"Neg">[] => [
  call({}, make("batch", "seq", 4)),
  call({}, make()),
  call({}, make("batch*seq", 2)),
  ...more.map((input) => call({}, input)),
];
const binary = (a: (...shape: Shape) => CallInput, b: (...shape: Shape) => CallInput = a): Call<"Add">[] => [
  call({}, a("batch", "seq", 4), b("batch", "seq", 4)),
  call({}, a("batch", "seq", 4), b(4)),
  call({}, a("batch", 1, 4), b("seq", 1)),
  call({}, a(), b(2, "n")),
  call({}, a("batch", "seq", 4), b()),
  call({}, a(1, "seq", 1), b("batch", 1, 1)),
  call({}, a(3), b(1, 1, 3)),
  call({}, a(), b()),
];
const reductions = (make: (...shape: Shape) => CallInput): Call<"ReduceSum">[] => [
  call({ axes: [2], keepdims: 1 }, make("batch", "seq", 4)),
  call({ axes: [2], keepdims: 0 }, make("batch", "seq", 4)),
  call({ axes: [0, 2], keepdims: 0 }, make(2, "seq", 4)),
  call({ axes: [0, 1, 2], keepdims: 0 }, make(2, 3, 4)),
  call({ axes: [1], keepdims: 0 }, make("n", 1)),
  call({ axes: [], keepdims: 0 }, make()),
];

/** Calls by op: a total map, so that an op without one does not compile. */
export const calls: { readonly [O in Op]: readonly Call<O>[] } = {
  Identity: unary(f, int("n"), bool("n")),
  Neg: unary(f, int("n")),
  Abs: unary(f, int("n")),
  Sign: unary(f, int("n")),
  Sqrt: unary(positive),
  Reciprocal: unary(positive),
  Exp: unary(f),
  Log: unary(positive),
  Sin: unary(f),
  Cos: unary(f),
  Erf: unary(f, far("n")),
  Tanh: unary(f, far("n")),
  Sigmoid: unary(f, far("n")),
  Softplus: unary(f, far("n")),
  Relu: unary(f),
  HardSigmoid: [
    call({ alpha: 0.5, beta: 0.5 }, f("batch", "seq", 4)),
    call({ alpha: 0.2, beta: 0.3 }, f(5)),
  ],
  Gelu: [
    call({ approximate: "none" }, f("batch", "seq", 4)),
    call({ approximate: "none" }, far("n")),
    call({ approximate: "tanh" }, f("batch", "seq", 4)),
    call({ approximate: "tanh" }, far("n")),
  ],
  QuickGelu: [
    call({ alpha: 1 }, f("batch", "seq", 4)),
    call({ alpha: 1.702 }, f("n")),
    call({ alpha: 1 }, far("n")),
  ],
  Not: [call({}, bool("batch", "seq")), call({}, bool())],
  Cast: [
    call({ to: "int32" }, f("batch", 4)),
    call({ to: "int64" }, f("n")),
    call({ to: "bool" }, int("n")),
    call({ to: "float32" }, int("batch", "seq")),
    call({ to: "float32" }, bool("n")),
    call({ to: "int64" }, int("n")),
    call({ to: "float32" }, f("n")),
  ],
  Add: [...binary(f), call({}, int("n"), int()), call({}, long("n"), long())],
  Sub: [...binary(f), call({}, int("n"), int())],
  Mul: [...binary(f), call({}, int("n"), int())],
  Div: [...binary(f, positive), call({}, int("n", 5), nonzero("n", 5))],
  Pow: binary(positive, f).map((c) => ({ ...c, held: [1] })),
  Max: [...binary(f), call({}, int("n"), int())],
  Min: [...binary(f), call({}, int("n"), int())],
  Equal: [...binary(int), ...binary(bool), call({}, f("n"), f("n"))],
  Less: [...binary(f), call({}, int("n"), int("n"))],
  Greater: [...binary(f), call({}, int("n"), int("n"))],
  And: binary(bool),
  Or: binary(bool),
  Where: [
    call({}, bool("batch", "seq", 4), f("batch", "seq", 4), f("batch", "seq", 4)),
    call({}, bool("batch", "seq", 1), f(4), f()),
    call({}, bool(4), f("batch", 1, 1), f("seq", 4)),
    call({}, bool("n"), int("n"), int()),
  ],
  MatMul: [
    call({}, f("batch*seq", 4), f(4, 5)),
    call({}, f("batch", 2, "seq", 4), f("batch", 2, 4, "seq")),
    call({}, f("batch", "seq", 4), f(4, 2)),
    call({}, f("batch", 1, 2, 3), f(4, 3, 2)),
    call({}, f(1, "seq"), f("seq", 1)),
  ],
  FusedMatMul: [
    call({ alpha: 0.5, transA: 0, transB: 0 }, f("batch", "seq", 4), f("batch", 4, 2)),
    call({ alpha: 0.5, transA: 0, transB: 1 }, f("batch", 2, "seq", 4), f("batch", 2, "seq", 4)),
    call({ alpha: -2, transA: 1, transB: 0 }, f("batch", 4, "seq"), f("batch", 4, 2)),
    call({ alpha: 3, transA: 1, transB: 1 }, f("batch", 4, "seq"), f("batch", 2, 4)),
    call({ alpha: 1, transA: 1, transB: 0 }, f("n", 3), f("n", 2)),
    call({ alpha: 1, transA: 0, transB: 1 }, f("batch", "seq", 4), f(2, 4)),
    call({ alpha: 2, transA: 1, transB: 1 }, f("batch", 4, 3), f(1, 2, 4)),
    call({ alpha: 2, transA: 1, transB: 0 }, f(4, 3), f("batch", 4, 2)),
  ],
  Gemm: [
    call({ alpha: 1, transA: 0, transB: 1 }, f("batch*seq", 4), f(5, 4), f(5)),
    call({ alpha: 1, transA: 0, transB: 0 }, f("n", 3), f(3, 5), f("n", 5)),
    call({ alpha: 2, transA: 1, transB: 0 }, f("n", 3), f("n", 2)),
    call({ alpha: -0.5, transA: 1, transB: 1 }, f(4, "n"), f(3, 4), f()),
    call({ alpha: 0.25, transA: 0, transB: 1 }, f("n", 3), f(2, 3), f("n", 1)),
    call({ alpha: 0.25, transA: 1, transB: 0 }, f(3, "n"), f(3, 2), f(1, 2)),
  ],
  Transpose: [
    call({ perm: [0, 2, 1, 3] }, f("batch", "seq", 2, 3)),
    call({ perm: [1, 0] }, f("batch*seq", 3)),
    call({ perm: [2, 0, 1] }, f(2, "n", 3)),
    call({ perm: [1, 2, 0] }, int(2, "n", 3)),
  ],
  Reshape: [
    call({ shape: ["batch*seq", 4] }, f("batch", "seq", 4)),
    call({ shape: ["batch", "seq", 2, 2] }, f("batch*seq", 4)),
    call({ shape: [] }, f(1, 1)),
    call({ shape: [1, 1, "n"] }, f("n")),
    call({ shape: ["seq", "batch", 2] }, f("batch", 2, "seq")),
    call({ shape: ["batch*seq"] }, bool("batch", "seq")),
  ],
  Expand: [
    call({ shape: ["batch", "seq", 4] }, f("batch", 1, 4)),
    call({ shape: ["batch", "seq"] }, f()),
    call({ shape: [2, 3, "n"] }, f("n")),
    call({ shape: ["n", 3] }, f(1, 1)),
    call({ shape: ["n"] }, int()),
    call({ shape: [1, 1] }, f("n", 3)),
  ],
  Concat: [
    call({ axis: 1 }, f("batch", 2, 3), f("batch", 1, 3)),
    call({ axis: 1 }, f("batch", 2, 3), f("batch", "seq", 3)),
    call({ axis: 2 }, f("batch", "seq", 2), f("batch", "seq", 2), f("batch", "seq", 3)),
    call({ axis: 0 }, f("seq", 3), f(2, 3)),
    call({ axis: 0 }, int("n"), int("n")),
  ],
  Slice: [
    call({ axis: 1, start: 1, end: null }, f("batch", "seq", 4)),
    call({ axis: 2, start: 1, end: 3 }, f("batch", "seq", 4)),
    call({ axis: 0, start: 0, end: 2 }, f(4, "seq")),
    call({ axis: 0, start: 0, end: 4 }, f(4, "seq")),
    call({ axis: 0, start: 0, end: null }, f("n")),
    call({ axis: 0, start: 0, end: 1 }, f("seq", 3)),
    call({ axis: 0, start: 1, end: null }, int("n")),
    call({ axis: 0, start: "n@1/2/1", end: null }, f("n", 3)),
    call({ axis: 1, start: "n@1/3/1", end: "n@2/3/1" }, f(2, "n")),
    call({ axis: 0, start: "n@1/3/1", end: "n@2/3/1" }, int("n")),
  ],
  Gather: [
    call({ axis: 0 }, f(5, 3), below(5)("batch", "seq")),
    call({ axis: 0 }, f("batch*seq", 3), below(6)("n")),
    call({ axis: 0 }, f(5), longBelow(5)("n")),
    call({ axis: 0 }, f(3, 2, 2), below(3)("n")),
    call({ axis: 0 }, f(3, 2), below(3)()),
    { ...call({ axis: 1 }, f("batch", 4, 2), below(4)("n")), refuses: /only axis 0/ },
    call({ axis: 0 }, int(5), below(5)("n")),
  ],
  GatherElements: [
    call({ axis: 1 }, f("batch*seq", 5), below(5)("batch*seq", 1)),
    call({ axis: 1 }, f("n", 3), longBelow(3)("n", 4)),
    call({ axis: 0 }, f(4, "n"), below(4)(6, "n")),
    call({ axis: 2 }, f("batch", "seq", 4), below(4)("batch", "seq", 2)),
  ],
  ScatterND: [
    call({}, f(5, 3), longBelow(5)("n", 1), f("n", 3)),
    call({}, f(3), longBelow(3)("n", 1), f("n")),
    call({}, f("batch*seq", 2, 2), longBelow(6)(7, 1), f(7, 2, 2)),
  ],
  ScatterElements: [
    call({ axis: 1 }, f("n", 3), below(3)("n", 5), f("n", 5)),
    call({ axis: 0 }, f(3, "n"), longBelow(3)(4, "n"), f(4, "n")),
  ],
  Softmax: [
    call({ axis: 2 }, f("batch", "seq", 4)),
    call({ axis: 1 }, f("batch", "seq", 4)),
    call({ axis: 3 }, f("batch", 2, "seq", "seq")),
    call({ axis: 1 }, far("batch", "seq")),
  ],
  LogSoftmax: [
    call({ axis: 2 }, f("batch", "seq", 4)),
    call({ axis: 1 }, f("batch", "seq", 4)),
    call({ axis: 1 }, far("batch", "seq")),
  ],
  ReduceSum: [
    ...reductions(f),
    call({ axes: [1], keepdims: 1 }, f("batch", "seq", 4)),
    call({ axes: [0, 1], keepdims: 0 }, f("batch", "seq")),
    call({ axes: [0], keepdims: 0 }, int("n", 2)),
  ],
  ReduceMean: [
    ...reductions(f),
    { ...call({ axes: [0], keepdims: 0 }, f("seq", 2)), refuses: /a mean over a symbolic axis/ },
  ],
  ReduceMax: [...reductions(f), call({ axes: [1], keepdims: 1 }, f("batch", "seq"))],
  ArgMax: [call({ axis: 1 }, f("n", 4)), call({ axis: 0 }, f(3, "seq")), call({ axis: 2 }, f("batch", "seq", 5))],
  LayerNormalization: [
    call({ epsilon: 1e-5 }, f("batch", "seq", 4), weight(4), f(4)),
    call({ epsilon: 1e-12 }, f("batch*seq", 8), weight(8), f(8)),
    call({ epsilon: 0.5 }, f("n", 3), weight(3), f(3)),
  ],
  SimplifiedLayerNormalization: [
    call({ epsilon: 1e-6 }, f("batch", "seq", 4), weight(4)),
    call({ epsilon: 0.5 }, f("n", 3), weight(3)),
  ],
};

/** Numbers in (0, 1), the same for the same seed. */
export function uniforms(seed: number): () => number {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
  };
}

/** A call as a graph with inputs x0, x1, ..., and data that float32 holds exactly. */
export function graphOf(
  op: Op,
  { inputs, attrs }: Call,
  seed = 1,
): Readonly<{ graph: Graph; outputs: readonly Value[]; data: Record<string, Reference> }> {
  const graph = new Graph();
  const next = uniforms(seed);
  const data: Record<string, Reference> = {};
  const values = inputs.map((input, i) => {
    const dims = evaluateShape(input.shape, callDims);
    data[`x${i}`] = {
      dims,
      data: Float64Array.from({ length: sizeOf(dims) }, () => Math.fround(input.value(next()))),
    };
    return graph.input(`x${i}`, input.dtype, input.shape);
  });
  const outputs = graph.append(op, values, attrs);
  outputs.forEach((value, i) => graph.output(`y${i}`, value));
  return { graph, outputs, data };
}

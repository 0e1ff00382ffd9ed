/**
 * Shape and dtype rules: one per op, a total map.
 * @module
 */
import type { DType } from "../tensor.ts";
import { AttuneError, show } from "../errors.ts";
import { addDims, type Dim, mulDims, type Shape, sizeOfShape } from "./dims.ts";
import type { Op, Ops } from "./ops.ts";

/** The type of a value, known before it belongs to a graph. */
type Value = Readonly<{ dtype: DType; shape: Shape }>;
type Values = readonly (Value | undefined)[];

/** An application of an op, as shape rules see it. */
export type Call<O extends Op = Op> = Readonly<{ op: O; inputs: Values; attrs: Ops[O] }>;

/** dtype and shape of one output. */
export type Inferred = Readonly<{ dtype: DType; shape: Shape }>;

type ShapeTable = { readonly [O in Op]: (call: Call<O>) => readonly Inferred[] };

const same = (call: Call): readonly Inferred[] => [like(arg(call, 0))];
const broadcasting = (call: Call): readonly Inferred[] => {
  const [a, b] = [arg(call, 0), arg(call, 1)];
  if (a.dtype !== b.dtype) throw misfit(call, "operands of one dtype");
  return [{ dtype: a.dtype, shape: broadcast(call, a.shape, b.shape) }];
};
const comparing = (call: Call): readonly Inferred[] =>
  broadcasting(call).map(({ shape }) => ({ dtype: "bool", shape }));

const table: ShapeTable = {
  Identity: same,
  Neg: same,
  Abs: same,
  Sign: same,
  Sqrt: same,
  Reciprocal: same,
  Exp: same,
  Log: same,
  Sin: same,
  Cos: same,
  Erf: same,
  Tanh: same,
  Sigmoid: same,
  Softplus: same,
  Relu: same,
  HardSigmoid: same,
  Gelu: same,
  QuickGelu: same,
  Not: same,
  Cast: (call) => [{ dtype: call.attrs.to, shape: arg(call, 0).shape }],
  Add: broadcasting,
  Sub: broadcasting,
  Mul: broadcasting,
  Div: broadcasting,
  Pow: broadcasting,
  Max: broadcasting,
  Min: broadcasting,
  Equal: comparing,
  Less: comparing,
  Greater: comparing,
  And: comparing,
  Or: comparing,
  Where: (call) => {
    const [c, a, b] = [arg(call, 0), arg(call, 1), arg(call, 2)];
    if (c.dtype !== "bool" || a.dtype !== b.dtype) throw misfit(call, "a bool and two tensors of one dtype");
    return [{ dtype: a.dtype, shape: broadcast(call, c.shape, broadcast(call, a.shape, b.shape)) }];
  },
  MatMul: (call) => product(call, 0, 0),
  FusedMatMul: (call) => product(call, call.attrs.transA, call.attrs.transB),
  Gemm: (call) => {
    const [a, b] = [arg(call, 0), arg(call, 1)];
    if (a.shape.length !== 2 || b.shape.length !== 2) throw misfit(call, "two matrices");
    return product(call, call.attrs.transA, call.attrs.transB);
  },
  Transpose: (call) => {
    const { shape, dtype } = arg(call, 0);
    if ([...call.attrs.perm].sort().some((p, i) => p !== i) || call.attrs.perm.length !== shape.length) {
      throw misfit(call, "a permutation of the axes");
    }
    return [{ dtype, shape: call.attrs.perm.map((p) => shape[p] as Dim) }];
  },
  Reshape: (call) => {
    const { shape, dtype } = arg(call, 0);
    if (sizeOfShape(shape) !== sizeOfShape(call.attrs.shape)) throw misfit(call, "the same number of elements");
    return [{ dtype, shape: call.attrs.shape }];
  },
  Expand: (call) => {
    const { shape, dtype } = arg(call, 0);
    return [{ dtype, shape: broadcast(call, shape, call.attrs.shape) }];
  },
  Concat: (call) => {
    const first = arg(call, 0);
    const axis = call.attrs.axis;
    let total: Dim = 0;
    for (const value of call.inputs) {
      if (!value || value.shape.length !== first.shape.length || value.dtype !== first.dtype) {
        throw misfit(call, "tensors of one rank and dtype");
      }
      if (value.shape.some((d, i) => i !== axis && d !== first.shape[i])) throw misfit(call, "equal other dims");
      total = addDims(total, value.shape[axis] ?? 1);
    }
    return [{ dtype: first.dtype, shape: first.shape.map((d, i) => (i === axis ? total : d)) }];
  },
  Slice: (call) => {
    const { shape, dtype } = arg(call, 0);
    const { axis, start, end } = call.attrs;
    const dim = shape[axis] ?? 1;
    const known = [start, end, dim].filter((place) => typeof place === "number");
    if (known.some((place) => place < 0) || known.some((place, i) => place > (known[i + 1] ?? Infinity))) {
      throw misfit(call, `an axis ${axis} that has places ${start} to ${end ?? "its end"}`);
    }
    const size = addDims(end ?? dim, mulDims(-1, start));
    return [{ dtype, shape: shape.map((d, i) => (i === axis ? size : d)) }];
  },
  Gather: (call) => {
    const [data, indices] = [arg(call, 0), arg(call, 1)];
    const axis = call.attrs.axis;
    return [{
      dtype: data.dtype,
      shape: [...data.shape.slice(0, axis), ...indices.shape, ...data.shape.slice(axis + 1)],
    }];
  },
  GatherElements: (call) => [{ dtype: arg(call, 0).dtype, shape: arg(call, 1).shape }],
  ScatterND: same,
  ScatterElements: same,
  Softmax: same,
  LogSoftmax: same,
  ReduceSum: (call) => reduced(call),
  ReduceMean: (call) => reduced(call),
  ReduceMax: (call) => reduced(call),
  ArgMax: (call) => [{ dtype: "int64", shape: arg(call, 0).shape.filter((_, i) => i !== call.attrs.axis) }],
  LayerNormalization: (call) => {
    const x = arg(call, 0);
    const statistics = like(x, [...x.shape.slice(0, -1), 1]);
    return [like(x), statistics, statistics];
  },
  SimplifiedLayerNormalization: (call) => {
    const x = arg(call, 0);
    return [like(x), like(x, [...x.shape.slice(0, -1), 1])];
  },
};

/** The outputs' dtypes and shapes. Throws AttuneError where the inputs do not fit. */
export function inferShapes<O extends Op>(call: Call<O>): readonly Inferred[] {
  return table[call.op](call);
}

/** The broadcast of two shapes, by NumPy's rule over symbolic dims. */
function broadcast(call: Pick<Call, "op" | "inputs">, a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x === y || y === 1) return x;
    if (x === 1) return y;
    throw misfit(call, "shapes that broadcast");
  });
}

function product(call: Call<"MatMul" | "FusedMatMul" | "Gemm">, transA: 0 | 1, transB: 0 | 1): readonly Inferred[] {
  const [a, b] = [arg(call, 0), arg(call, 1)];
  if (a.shape.length < 2 || b.shape.length < 2 || a.dtype !== b.dtype) throw misfit(call, "matrices of one dtype");
  const [m, k] = ends(a.shape, transA);
  const [l, n] = ends(b.shape, transB);
  if (k !== l) throw misfit(call, `equal inner dims (${k} and ${l})`);
  const batch = broadcast(call, a.shape.slice(0, -2), b.shape.slice(0, -2));
  return [{ dtype: a.dtype, shape: [...batch, m, n] }];
}

function ends(shape: Shape, transposed: 0 | 1): [Dim, Dim] {
  const [r, c] = [shape.at(-2) ?? 1, shape.at(-1) ?? 1];
  return transposed ? [c, r] : [r, c];
}

function reduced(call: Call<"ReduceSum" | "ReduceMean" | "ReduceMax">): readonly Inferred[] {
  const x = arg(call, 0);
  const axes = new Set(call.attrs.axes);
  const shape = call.attrs.keepdims
    ? x.shape.map((d, i) => (axes.has(i) ? 1 : d))
    : x.shape.filter((_, i) => !axes.has(i));
  return [like(x, shape)];
}

function like(value: Value, shape: Shape = value.shape): Inferred {
  return { dtype: value.dtype, shape };
}

function arg(call: Pick<Call, "op" | "inputs">, index: number): Value {
  const value = call.inputs[index];
  if (!value) throw misfit(call, `input ${index}`);
  return value;
}

function misfit(call: Pick<Call, "op" | "inputs">, wanted: string): AttuneError {
  const found = call.inputs.map((v) => (v ? `${v.dtype}${show(v.shape)}` : "-")).join(", ");
  return new AttuneError(`${call.op}: expected ${wanted} but found ${found}`, {
    code: "BAD_SHAPE",
    plugin: "graph",
    found,
  });
}

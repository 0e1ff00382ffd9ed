/** The reference interpreter: every op in float64, simple and independent of the engine. */
import { type DimValues, evaluateDim, evaluateShape } from "../../core/graph/ops/dims.ts";
import { type Graph, type Node, reachable, type Value } from "../../core/graph/graph.ts";
import type { Op } from "../../core/graph/ops/ops.ts";
import { fromFloat32, toFloat32, viewOf } from "../../core/files/safetensors.ts";
import type { DType } from "../../core/base/tensor.ts";

/** A tensor of the interpreter; booleans are 0 and 1. */
export type Reference = Readonly<{ dims: readonly number[]; data: Float64Array }>;

type Rule<O extends Op> = (node: Node<O>, inputs: readonly Reference[], dims: DimValues) => readonly Reference[];
type Table = { readonly [O in Op]: Rule<O> };

/** Converts a number to another dtype; 16-bit floats are rounded to nearest, ties to even. */
function castTo(dtype: DType, value: number): number {
  if (dtype === "bool") return Number(value !== 0);
  if (dtype === "float32" || dtype === "float64") return value;
  if (dtype !== "float16" && dtype !== "bfloat16") return Math.trunc(value);
  const bytes = fromFloat32(Float32Array.of(value), dtype);
  return toFloat32({ dtype, dims: [], data: viewOf(dtype, bytes) }).data[0] ?? NaN;
}

const size = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);
const make = (dims: readonly number[], at: (index: readonly number[]) => number): Reference => {
  const data = new Float64Array(size(dims));
  const index = dims.map(() => 0);
  for (let i = 0; i < data.length; i++) {
    data[i] = at(index);
    for (let k = dims.length - 1; k >= 0; k--) {
      index[k] = (index[k] ?? 0) + 1;
      if ((index[k] ?? 0) < (dims[k] ?? 1)) break;
      index[k] = 0;
    }
  }
  return { dims, data };
};
const read = ({ dims, data }: Reference, index: readonly number[]): number => {
  let at = 0;
  dims.forEach((dim, k) => (at = at * dim + (index[k] ?? 0)));
  return data[at] ?? NaN;
};
/** Returns the element of an operand that broadcasting pairs with `index`. */
const broadcastRead = (x: Reference, index: readonly number[]): number => {
  const skip = index.length - x.dims.length;
  return read(x, x.dims.map((dim, k) => (dim === 1 ? 0 : index[k + skip] ?? 0)));
};
const broadcastDims = (...all: readonly Reference[]): number[] => {
  const rank = Math.max(...all.map((x) => x.dims.length));
  // A dim of none is not broadcast.
  const dim = (k: number) => (x: Reference): number => x.dims[k - rank + x.dims.length] ?? 1;
  return Array.from({ length: rank }, (_, k) => all.map(dim(k)).find((d) => d !== 1) ?? 1);
};
const each = (f: (x: number) => number): Rule<Op> => (_, [x]) => [{ dims: x!.dims, data: x!.data.map(f) }];
const pair = (f: (a: number, b: number) => number): Rule<Op> => (_, [a, b]) => [
  make(broadcastDims(a!, b!), (i) => f(broadcastRead(a!, i), broadcastRead(b!, i))),
];
const swap = (x: Reference): Reference => {
  const n = x.dims.length;
  const dims = [...x.dims.slice(0, -2), x.dims[n - 1]!, x.dims[n - 2]!];
  return make(dims, (i) => read(x, [...i.slice(0, -2), i[n - 1]!, i[n - 2]!]));
};
const product = (a: Reference, b: Reference): Reference => {
  const [m, k, n] = [a.dims.at(-2)!, a.dims.at(-1)!, b.dims.at(-1)!];
  const batch = broadcastDims({ dims: a.dims.slice(0, -2), data: a.data }, { dims: b.dims.slice(0, -2), data: b.data });
  const at = (x: Reference, index: readonly number[], r: number, c: number): number => {
    const outer = x.dims.slice(0, -2);
    const skip = index.length - outer.length;
    return read(x, [...outer.map((dim, j) => (dim === 1 ? 0 : index[j + skip]!)), r, c]);
  };
  return make([...batch, m, n], (i) => {
    let sum = 0;
    for (let j = 0; j < k; j++) sum += at(a, i.slice(0, -2), i.at(-2)!, j) * at(b, i.slice(0, -2), j, i.at(-1)!);
    return sum;
  });
};
const scaled = (x: Reference, factor: number): Reference => ({ dims: x.dims, data: x.data.map((v) => v * factor) });
const along = (x: Reference, axis: number, f: (line: number[]) => number[]): Reference => {
  const out = new Float64Array(x.data.length);
  const n = x.dims[axis]!;
  const inner = size(x.dims.slice(axis + 1));
  for (let o = 0; o < size(x.dims.slice(0, axis)); o++) {
    for (let i = 0; i < inner; i++) {
      const line = Array.from({ length: n }, (_, k) => x.data[(o * n + k) * inner + i]!);
      f(line).forEach((v, k) => (out[(o * n + k) * inner + i] = v));
    }
  }
  return { dims: x.dims, data: out };
};
const reduce = (x: Reference, axes: readonly number[], keep: boolean, f: (all: number[]) => number): Reference => {
  const keptDims = x.dims.map((d, k) => (axes.includes(k) ? 1 : d));
  const groups = new Map<string, number[]>();
  make(x.dims, (i) => {
    const key = i.map((v, k) => (axes.includes(k) ? 0 : v)).join();
    const members = groups.get(key) ?? [];
    members.push(read(x, i));
    groups.set(key, members);
    return 0;
  });
  const full = make(keptDims, (i) => f(groups.get(i.join()) ?? []));
  return { dims: keep ? keptDims : x.dims.filter((_, k) => !axes.includes(k)), data: full.data };
};
const logSoftmax = (line: number[]): number[] => {
  const top = Math.max(...line);
  const log = top + Math.log(line.reduce((s, v) => s + Math.exp(v - top), 0));
  return line.map((v) => v - log);
};
/** Computes erf by its Maclaurin series, or by the continued fraction of erfc where the series converges badly. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  if (Math.abs(x) < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; n < 80; n++) {
      term *= -(x * x) / n;
      sum += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * sum;
  }
  const a = Math.abs(x);
  let fraction = 0;
  for (let n = 60; n >= 1; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / Math.sqrt(Math.PI) / (a + fraction));
}
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const statistics = (
  x: Reference,
  epsilon: number,
  centred: boolean,
): { mean: Reference; inverse: Reference; normal: Reference } => {
  const axis = x.dims.length - 1;
  const n = x.dims[axis]!;
  const mean = centred
    ? reduce(x, [axis], true, (v) => v.reduce((a, b) => a + b, 0) / n)
    : reduce(x, [axis], true, () => 0);
  const centre = make(x.dims, (i) => read(x, i) - broadcastRead(mean, i));
  const inverse = reduce(centre, [axis], true, (v) => 1 / Math.sqrt(v.reduce((a, b) => a + b * b, 0) / n + epsilon));
  return { mean, inverse, normal: make(x.dims, (i) => read(centre, i) * broadcastRead(inverse, i)) };
};

const table: Table = {
  Identity: each((x) => x),
  Neg: each((x) => -x),
  Abs: each(Math.abs),
  Sign: each(Math.sign),
  Sqrt: each(Math.sqrt),
  Reciprocal: each((x) => 1 / x),
  Exp: each(Math.exp),
  Log: each(Math.log),
  Sin: each(Math.sin),
  Cos: each(Math.cos),
  Erf: each(erf),
  Tanh: each(Math.tanh),
  Sigmoid: each(sigmoid),
  Softplus: each((x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  Relu: each((x) => Math.max(x, 0)),
  HardSigmoid: (
    node,
    [x],
  ) => [{ dims: x!.dims, data: x!.data.map((v) => Math.min(1, Math.max(0, node.attrs.alpha * v + node.attrs.beta))) }],
  Gelu: (node, [x]) => [{
    dims: x!.dims,
    data: x!.data.map((v) =>
      node.attrs.approximate === "none"
        ? 0.5 * v * (1 + erf(v / Math.SQRT2))
        : 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)))
    ),
  }],
  QuickGelu: (node, [x]) => [{ dims: x!.dims, data: x!.data.map((v) => v * sigmoid(node.attrs.alpha * v)) }],
  Not: each((x) => (x === 0 ? 1 : 0)),
  Cast: (node, [x]) => [{ dims: x!.dims, data: x!.data.map((v) => castTo(node.attrs.to, v)) }],
  Add: pair((a, b) => a + b),
  Sub: pair((a, b) => a - b),
  Mul: pair((a, b) => a * b),
  // whole numbers are divided towards zero
  Div: (node, inputs) =>
    pair((a, b) => (node.inputs[0]?.dtype === "float32" ? a / b : Math.trunc(a / b)))(node as Node, inputs, {}),
  Pow: pair((a, b) => a ** b),
  Max: pair(Math.max),
  Min: pair(Math.min),
  Equal: pair((a, b) => Number(a === b)),
  Less: pair((a, b) => Number(a < b)),
  Greater: pair((a, b) => Number(a > b)),
  And: pair((a, b) => Number(a !== 0 && b !== 0)),
  Or: pair((a, b) => Number(a !== 0 || b !== 0)),
  Where: (
    _,
    [c, a, b],
  ) => [make(broadcastDims(c!, a!, b!), (i) => (broadcastRead(c!, i) ? broadcastRead(a!, i) : broadcastRead(b!, i)))],
  MatMul: (_, [a, b]) => [product(a!, b!)],
  FusedMatMul: (
    { attrs },
    [a, b],
  ) => [scaled(product(attrs.transA ? swap(a!) : a!, attrs.transB ? swap(b!) : b!), attrs.alpha)],
  Gemm: ({ attrs }, [a, b, c]) => {
    const ab = scaled(product(attrs.transA ? swap(a!) : a!, attrs.transB ? swap(b!) : b!), attrs.alpha);
    return [c ? make(ab.dims, (i) => read(ab, i) + broadcastRead(c, i)) : ab];
  },
  Transpose: ({ attrs }, [x]) => [make(attrs.perm.map((p) => x!.dims[p]!), (i) => {
    const from: number[] = [];
    attrs.perm.forEach((p, k) => (from[p] = i[k]!));
    return read(x!, from);
  })],
  Reshape: ({ attrs }, [x], dims) => [{ dims: evaluateShape(attrs.shape, dims), data: x!.data }],
  Expand: ({ attrs }, [x], dims) => [
    make(
      broadcastDims(x!, { dims: evaluateShape(attrs.shape, dims), data: new Float64Array() }),
      (i) => broadcastRead(x!, i),
    ),
  ],
  Concat: ({ attrs }, inputs) => {
    const dims = inputs[0]!.dims.map((d, k) => (k === attrs.axis ? inputs.reduce((n, x) => n + x.dims[k]!, 0) : d));
    return [make(dims, (i) => {
      let at = i[attrs.axis]!;
      const source = inputs.find((x) => at < x.dims[attrs.axis]! || ((at -= x.dims[attrs.axis]!), false))!;
      return read(source, i.map((v, k) => (k === attrs.axis ? at : v)));
    })];
  },
  Slice: ({ attrs: { axis, start, end } }, [x], values) => {
    const from = evaluateDim(start, values);
    const dims = x!.dims.map((d, k) => (k === axis ? Math.min(evaluateDim(end ?? d, values), d) - from : d));
    return [make(dims, (i) => read(x!, i.map((v, k) => (k === axis ? v + from : v))))];
  },
  Gather: ({ attrs: { axis } }, [x, index]) => {
    const n = index!.dims.length;
    return [
      make(
        [...x!.dims.slice(0, axis), ...index!.dims, ...x!.dims.slice(axis + 1)],
        (i) => read(x!, [...i.slice(0, axis), read(index!, i.slice(axis, axis + n)), ...i.slice(axis + n)]),
      ),
    ];
  },
  GatherElements: ({ attrs: { axis } }, [x, index]) => [
    make(index!.dims, (i) => read(x!, i.map((v, k) => (k === axis ? read(index!, i) : v)))),
  ],
  ScatterND: (_, [x, index, updates]) => {
    const data = Float64Array.from(x!.data);
    const width = size(x!.dims.slice(1));
    index!.data.forEach((row, i) => {
      for (let k = 0; k < width; k++) data[row * width + k]! += updates!.data[i * width + k]!;
    });
    return [{ dims: x!.dims, data }];
  },
  ScatterElements: ({ attrs: { axis } }, [x, index, updates]) => {
    const data = Float64Array.from(x!.data);
    make(index!.dims, (i) => {
      let at = 0;
      x!.dims.forEach((d, k) => (at = at * d + (k === axis ? read(index!, i) : i[k]!)));
      data[at]! += read(updates!, i);
      return 0;
    });
    return [{ dims: x!.dims, data }];
  },
  Softmax: ({ attrs }, [x]) => [along(x!, attrs.axis, (line) => logSoftmax(line).map(Math.exp))],
  LogSoftmax: ({ attrs }, [x]) => [along(x!, attrs.axis, logSoftmax)],
  ReduceSum: ({ attrs }, [x]) => [reduce(x!, attrs.axes, attrs.keepdims === 1, (v) => v.reduce((a, b) => a + b, 0))],
  ReduceMean: (
    { attrs },
    [x],
  ) => [reduce(x!, attrs.axes, attrs.keepdims === 1, (v) => v.reduce((a, b) => a + b, 0) / v.length)],
  ReduceMax: ({ attrs }, [x]) => [reduce(x!, attrs.axes, attrs.keepdims === 1, (v) => Math.max(...v))],
  ArgMax: ({ attrs }, [x]) => [reduce(x!, [attrs.axis], false, (v) => v.indexOf(Math.max(...v)))],
  LayerNormalization: ({ attrs }, [x, w, b]) => {
    const { mean, inverse, normal } = statistics(x!, attrs.epsilon, true);
    return [make(x!.dims, (i) => read(normal, i) * broadcastRead(w!, i) + broadcastRead(b!, i)), mean, inverse];
  },
  SimplifiedLayerNormalization: ({ attrs }, [x, w]) => {
    const { inverse, normal } = statistics(x!, attrs.epsilon, false);
    return [make(x!.dims, (i) => read(normal, i) * broadcastRead(w!, i)), inverse];
  },
};

/** Evaluates values of a graph from its inputs and parameters. */
export function interpret(
  graph: Graph,
  inputs: Readonly<Record<string, Reference>>,
  values: readonly Value[],
  dims: DimValues = {},
): Reference[] {
  const known = new Map<number, Reference>();
  const of = (value: Value): Reference => {
    const tensor = known.get(value.id);
    if (tensor) return tensor;
    const origin = graph.origin(value);
    if (origin?.kind === "constant") {
      return { dims: origin.tensor.dims, data: Float64Array.from(origin.tensor.data as ArrayLike<number>, Number) };
    }
    const bound = inputs[origin?.name ?? ""];
    if (!bound) throw new Error(`No value for ${origin?.name}`);
    return bound;
  };
  for (const node of reachable(values)) {
    const rule = table[node.op] as Rule<Op>;
    const outputs = rule(node, node.inputs.flatMap((v) => (v ? [of(v)] : [])), dims);
    node.outputs.forEach((v, i) => known.set(v.id, outputs[i]!));
  }
  return values.map(of);
}

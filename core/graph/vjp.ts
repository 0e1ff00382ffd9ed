/**
 * Gradients: one rule per op (vector-Jacobian products), graph in and graph out. Nothing else knows of derivatives.
 *
 * The formulas take few passes over memory rather than few operations: that decides their speed on a CPU.
 * @module
 */
import { AttuneError } from "../errors.ts";
import type { DType } from "../tensor.ts";
import { addDims, type Dim, mulDims, sizeOfShape } from "./dims.ts";
import * as f from "./functions.ts";
import { type Node, reachable, type Region, type Value, type Values } from "./graph.ts";
import type { Op } from "./ops.ts";

/**
 * Gradients of a node's inputs from those of its outputs; only where `needs`. `null`: the derivative is zero wherever
 * there is one, so that gradients end there; an op whose derivative is not zero has a rule or throws.
 */
type Rule<O extends Op> = (node: Node<O>, dy: Values, needs: readonly boolean[]) => Values;
type VjpTable = { readonly [O in Op]: Rule<O> | null };

/** What has gradients, which are of the same dtype. */
const floats: ReadonlySet<DType> = new Set<DType>(["float32", "float16", "bfloat16"]);

const table: VjpTable = {
  Identity: (_, dy) => [dy[0]],
  // d(-x) = -dy
  Neg: (_, dy) => [f.neg(out(dy))],
  Abs: (node, dy) => [f.mul(out(dy), f.sign(x0(node)))],
  Sign: null,
  // d√x = dy / 2y
  Sqrt: (node, dy) => [f.div(f.mul(out(dy), 0.5), y0(node))],
  // d(1/x) = -dy y²
  Reciprocal: (node, dy) => [f.neg(f.mul(out(dy), f.square(y0(node))))],
  Exp: (node, dy) => [f.mul(out(dy), y0(node))],
  Log: (node, dy) => [f.div(out(dy), x0(node))],
  Sin: (node, dy) => [f.mul(out(dy), f.apply("Cos", [x0(node)], {}))],
  Cos: (node, dy) => [f.neg(f.mul(out(dy), f.apply("Sin", [x0(node)], {})))],
  // 2/√π e^(-x²)
  Erf: (node, dy) => [f.mul(f.mul(out(dy), 2 / Math.sqrt(Math.PI)), f.exp(f.neg(f.square(x0(node)))))],
  // 1 - y²
  Tanh: (node, dy) => [f.mul(out(dy), f.sub(ones(node), f.square(y0(node))))],
  // y (1 - y)
  Sigmoid: (node, dy) => [f.mul(out(dy), f.mul(y0(node), f.sub(ones(node), y0(node))))],
  Softplus: (node, dy) => [f.mul(out(dy), f.sigmoid(x0(node)))],
  // 1 where y > 0
  Relu: (node, dy) => [f.mul(out(dy), f.cast(f.greater(y0(node), 0), "float32"))],
  // alpha where 0 < y < 1
  HardSigmoid: (node, dy) => {
    const inside = f.and(f.greater(y0(node), 0), f.less(y0(node), 1));
    return [f.mul(f.mul(out(dy), node.attrs.alpha), f.cast(inside, "float32"))];
  },
  Gelu: (
    node,
    dy,
  ) => [node.attrs.approximate === "tanh" ? geluTanhGradient(x0(node), out(dy)) : geluGradient(x0(node), out(dy))],
  // s + αx s (1 - s) with s = σ(αx)
  QuickGelu: (node, dy) => {
    const x = x0(node);
    const scaled = node.attrs.alpha === 1 ? x : f.mul(x, node.attrs.alpha);
    const s = f.sigmoid(scaled);
    return [f.mul(out(dy), f.add(s, f.mul(f.mul(scaled, s), f.sub(ones(node), s))))];
  },
  Not: null,
  Cast: (node, dy) => (floats.has(x0(node).dtype) ? [f.cast(out(dy), x0(node).dtype)] : [undefined]),
  Add: (node, dy, needs) => [
    needs[0] ? unbroadcast(out(dy), x0(node)) : undefined,
    needs[1] ? unbroadcast(out(dy), x1(node)) : undefined,
  ],
  Sub: (node, dy, needs) => [
    needs[0] ? unbroadcast(out(dy), x0(node)) : undefined,
    needs[1] ? f.neg(unbroadcast(out(dy), x1(node))) : undefined,
  ],
  Mul: (node, dy, needs) => [
    needs[0] ? unbroadcast(f.mul(out(dy), x1(node)), x0(node)) : undefined,
    needs[1] ? unbroadcast(f.mul(out(dy), x0(node)), x1(node)) : undefined,
  ],
  // d(a/b) = dy/b, -dy y/b
  Div: (node, dy, needs) => {
    const quotient = f.div(out(dy), x1(node));
    return [
      needs[0] ? unbroadcast(quotient, x0(node)) : undefined,
      needs[1] ? f.neg(unbroadcast(f.mul(quotient, y0(node)), x1(node))) : undefined,
    ];
  },
  // d(a^b) = dy b a^(b-1); the exponent is a constant
  Pow: (node, dy, needs) => {
    if (needs[1]) throw noRule(node, "the exponent must not be trained");
    const [a, b] = [x0(node), x1(node)];
    return [unbroadcast(f.mul(out(dy), f.mul(b, f.pow(a, f.sub(b, 1)))), a), undefined];
  },
  // to the larger; halves where equal, as torch's maximum does
  Max: (node, dy, needs) => extreme(node, dy, needs, "Max"),
  Min: (node, dy, needs) => extreme(node, dy, needs, "Min"),
  Equal: null,
  Less: null,
  ArgMax: null,
  Greater: null,
  And: null,
  Or: null,
  Where: (node, dy, needs) => {
    const [condition, a, b] = [x0(node), x1(node), x2(node)];
    return [
      undefined,
      needs[1] ? unbroadcast(f.where(condition, out(dy), 0), a) : undefined,
      needs[2] ? unbroadcast(f.where(condition, 0, out(dy)), b) : undefined,
    ];
  },
  // dA = dY Bᵀ, dB = Aᵀ dY
  MatMul: (node, dy, needs) => productGradient(node, out(dy), needs, 1, 0, 0),
  FusedMatMul: (node, dy, needs) =>
    productGradient(node, out(dy), needs, node.attrs.alpha, node.attrs.transA, node.attrs.transB),
  Gemm: (node, dy, needs) => {
    const { alpha, transA, transB } = node.attrs;
    const [a, b, d] = [x0(node), x1(node), out(dy)];
    const g = (p: Value, q: Value, tp: 0 | 1, tq: 0 | 1): Value =>
      f.gemm(p, q, undefined, { alpha, transA: tp === 1, transB: tq === 1 });
    const c = node.inputs[2];
    return [
      !needs[0] ? undefined : transA ? g(b, d, transB, 1) : g(d, b, 0, transB ? 0 : 1),
      !needs[1] ? undefined : transB ? g(d, a, 1, transA) : g(a, d, transA ? 0 : 1, 0),
      !needs[2] || !c ? undefined : unbroadcast(d, c),
    ];
  },
  Transpose: (node, dy) => {
    const inverse: number[] = [];
    node.attrs.perm.forEach((p, i) => (inverse[p] = i));
    return [f.transpose(out(dy), inverse)];
  },
  Reshape: (node, dy) => [f.reshape(out(dy), x0(node).shape)],
  Expand: (node, dy) => [unbroadcast(out(dy), x0(node))],
  Concat: (node, dy, needs) => {
    const { axis } = node.attrs;
    let start: Dim = 0;
    return node.inputs.map((input, i) => {
      const from = start;
      start = addDims(start, input?.shape[axis] ?? 1);
      return needs[i] ? f.slice(out(dy), axis, from, i < node.inputs.length - 1 ? start : null) : undefined;
    });
  },
  Slice: (node, dy) => {
    const { axis, start, end } = node.attrs;
    const x = x0(node);
    const pad = (size: Dim): Value => f.zeros(x, x.shape.map((d, i) => (i === axis ? size : d)));
    const parts = [out(dy)];
    if (start !== 0) parts.unshift(pad(start));
    const dim = x.shape[axis] ?? 1;
    if (end !== null && dim !== end) parts.push(pad(addDims(dim, mulDims(-1, end))));
    return [f.concat(parts, axis)];
  },
  // rows added up where they came from
  Gather: (node, dy) => {
    const [data, indices] = [x0(node), x1(node)];
    if (node.attrs.axis !== 0) throw noRule(node, "only rows (axis 0) are gathered with a gradient");
    const count = sizeOfShape(indices.shape);
    const index = f.reshape(f.cast(indices, "int64"), [count, 1]);
    const updates = f.reshape(out(dy), [count, ...data.shape.slice(1)]);
    return [f.apply("ScatterND", [f.zeros(data, data.shape), index, updates], {}), undefined];
  },
  GatherElements: (node, dy) => {
    const [data, indices] = [x0(node), x1(node)];
    return [
      f.apply("ScatterElements", [f.zeros(data, data.shape), indices, out(dy)], { axis: node.attrs.axis }),
      undefined,
    ];
  },
  // what was added goes through, and the rows or elements that were added to give theirs
  ScatterND: (node, dy, needs) => {
    const indices = x1(node);
    const rows = f.reshape(indices, [indices.shape[0] ?? 1]);
    return [out(dy), undefined, needs[2] ? f.gather(out(dy), rows) : undefined];
  },
  ScatterElements: (node, dy, needs) => [
    out(dy),
    undefined,
    needs[2] ? f.apply("GatherElements", [out(dy), x1(node)], { axis: node.attrs.axis }) : undefined,
  ],
  // y (dy - Σ dy y)
  Softmax: (node, dy) => {
    const y = y0(node);
    return [f.mul(y, f.sub(out(dy), f.sum(f.mul(out(dy), y), node.attrs.axis, true)))];
  },
  // dy - eʸ Σ dy
  LogSoftmax: (node, dy) => [f.sub(out(dy), f.mul(f.exp(y0(node)), f.sum(out(dy), node.attrs.axis, true)))],
  ReduceSum: (node, dy) => [f.expand(kept(node, out(dy)), x0(node).shape)],
  ReduceMean: (node, dy) => {
    const x = x0(node);
    const size = sizeOfShape(node.attrs.axes.map((a) => x.shape[a] ?? 1));
    if (typeof size !== "number") throw noRule(node, "a mean over a symbolic axis: use a sum and divide by a count");
    return [f.expand(f.mul(kept(node, out(dy)), 1 / size), x.shape)];
  },
  // to the largest; in equal parts where there are several, as torch's amax does
  ReduceMax: (node, dy) => {
    const largest = f.cast(f.equal(x0(node), kept(node, y0(node))), "float32");
    const count = f.apply("ReduceSum", [largest], { axes: node.attrs.axes, keepdims: 1 });
    return [f.mul(largest, f.div(kept(node, out(dy)), count))];
  },
  // x̂ = (x - μ)/σ, g = dy w: dx = (g - mean g - x̂ mean(g x̂)) / σ
  LayerNormalization: (node, dy, needs) => {
    if (dy[1] || dy[2]) throw noRule(node, "its statistics must not be used");
    const [x, weight, d] = [x0(node), x1(node), out(dy)];
    const [mean, inverse] = [node.outputs[1] as Value, node.outputs[2] as Value];
    const normal = f.mul(f.sub(x, mean), inverse);
    const g = f.mul(d, weight);
    const inner = f.sub(f.sub(g, f.mean(g, -1, true)), f.mul(normal, f.mean(f.mul(g, normal), -1, true)));
    return [
      needs[0] ? f.mul(inner, inverse) : undefined,
      needs[1] ? f.columnSums(f.asMatrix(f.mul(d, normal))) : undefined,
      needs[2] ? f.columnSums(f.asMatrix(d)) : undefined,
    ];
  },
  // x̂ = x/rms: dx = (g - x̂ mean(g x̂)) / rms
  SimplifiedLayerNormalization: (node, dy, needs) => {
    if (dy[1]) throw noRule(node, "its statistics must not be used");
    const [x, weight, d] = [x0(node), x1(node), out(dy)];
    const inverse = node.outputs[1] as Value;
    const normal = f.mul(x, inverse);
    const g = f.mul(d, weight);
    return [
      needs[0] ? f.mul(f.sub(g, f.mul(normal, f.mean(f.mul(g, normal), -1, true))), inverse) : undefined,
      needs[1] ? f.columnSums(f.asMatrix(f.mul(d, normal))) : undefined,
    ];
  },
};

/** Gradient rows of a table that was only gathered from: dtable[indices[i]] += rows[i]. */
export type SparseGradient = Readonly<{ indices: Value; rows: Value }>;

/** A gradient as the host adds it up. */
export type Gradient = Readonly<{ dense: Value | undefined; sparse: readonly SparseGradient[] }>;

/**
 * Gradients of a scalar. Only nodes between `wrt` and `loss` are visited: what is frozen is absent. `sparse` names
 * tables (among `wrt`) whose row gathers are given as rows. `scale`: what they are multiplied by, from the first on.
 *
 * @throws AttuneError where an op between them has no rule.
 */
export function gradients(
  loss: Value,
  wrt: readonly Value[],
  sparse: ReadonlySet<Value> = new Set(),
  scale: Value = loss.graph.constant({ dtype: "float32", dims: [], data: Float32Array.of(1) }),
): Gradient[] {
  return backward([loss], [f.reshape(scale, loss.shape)], wrt, sparse);
}

/** Gradients of Σ outputs · dy. Values of `wrt` are where it ends: what they are made of is not looked at. */
export function backward(
  outputs: readonly Value[],
  dy: readonly Value[],
  wrt: readonly Value[],
  sparse: ReadonlySet<Value> = new Set(),
): Gradient[] {
  const graph = outputs[0]?.graph;
  if (!graph) return wrt.map(() => ({ dense: undefined, sparse: [] }));
  const targets = new Set(wrt.map((v) => v.id));
  const sparseIds = new Set([...sparse].map((v) => v.id));
  const between = dependents(outputs, targets);
  const adjoint = new Map<number, Value>();
  const rows = new Map<number, SparseGradient[]>();
  const doneRegions = new Set<Region>();
  const incoming = (v: Value): Value | undefined => (targets.has(v.id) ? undefined : adjoint.get(v.id));
  const accumulate = (value: Value, d: Value): void => {
    const known = adjoint.get(value.id);
    adjoint.set(value.id, known ? f.add(known, d) : d);
  };
  outputs.forEach((output, i) => dy[i] && accumulate(output, dy[i]));

  for (const node of reachable(outputs).reverse()) {
    if (!node.outputs.some((v) => between.has(v.id) && incoming(v))) continue;
    const ds = node.outputs.map(incoming);
    graph.within(`d.${node.scope}`, () => {
      const region = node.outputs[0] && graph.region(node.outputs[0]);
      if (region) {
        // All outputs of a region are made together: at the last of them the gradients of all are complete.
        if (doneRegions.has(region)) return;
        doneRegions.add(region);
        const needs = region.inputs.map((v) => between.has(v.id));
        const given = region.rule(region.outputs.map(incoming), needs);
        region.inputs.forEach((input, i) => given[i] && needs[i] && accumulate(input, given[i]));
        return;
      }
      const needs = node.inputs.map((v) => v !== undefined && between.has(v.id));
      const data = node.inputs[0];
      if (isRowGather(node) && data && sparseIds.has(data.id)) {
        const indices = x1(node);
        const count = sizeOfShape(indices.shape);
        const list = rows.get(data.id) ?? [];
        const d = ds[0] as Value;
        list.push({ indices: f.reshape(indices, [count]), rows: f.reshape(d, [count, ...data.shape.slice(1)]) });
        rows.set(data.id, list);
        return;
      }
      const rule = table[node.op] as Rule<Op> | null;
      if (!rule) throw noRule(node, "gradients do not pass through it");
      rule(node, ds, needs).forEach((d, i) => {
        const input = node.inputs[i];
        if (d && input && needs[i]) accumulate(input, d);
      });
    });
  }
  return wrt.map((v) => ({ dense: adjoint.get(v.id), sparse: rows.get(v.id) ?? [] }));
}

function isRowGather(node: Node): boolean {
  return node.op === "Gather" && (node as Node<"Gather">).attrs.axis === 0;
}

/** Whether gradients pass through an op. */
export function isDifferentiable(op: Op): boolean {
  return table[op] !== null;
}

/** Ids of the values that depend on a target and lead to an output; regions count as one step, ops that stop gradients as none. */
function dependents(outputs: readonly Value[], targets: ReadonlySet<number>): ReadonlySet<number> {
  const found = new Set(targets);
  for (const node of reachable(outputs)) {
    const region = node.outputs[0] && node.outputs[0].graph.region(node.outputs[0]);
    const inputs = region ? region.inputs : node.inputs;
    if (!region && table[node.op] === null) continue;
    if (inputs.some((v) => v && found.has(v.id))) { for (const v of node.outputs) found.add(v.id); }
  }
  return found;
}

// Φ(x) + x φ(x): Φ = HardSigmoid(½t + ½) of t = erf(x/√2), constants folded into the exponent
function geluGradient(x: Value, dy: Value): Value {
  const cdf = f.apply("HardSigmoid", [f.erf(f.mul(x, Math.SQRT1_2))], { alpha: 0.5, beta: 0.5 });
  const density = f.exp(f.sub(f.mul(f.square(x), -0.5), 0.5 * Math.log(2 * Math.PI)));
  return f.mul(dy, f.add(cdf, f.mul(x, density)));
}

// u = √(2/π)(x + 0.044715 x³), t = tanh u: ½(1 + t) + ½ x (1 - t²) u'
function geluTanhGradient(x: Value, dy: Value): Value {
  const c = Math.sqrt(2 / Math.PI);
  const x2 = f.square(x);
  const t = f.tanh(f.mul(x, f.add(f.mul(x2, 0.044715 * c), c)));
  const slope = f.add(f.mul(x2, 3 * 0.044715 * c * 0.5), 0.5 * c);
  const half = f.add(f.mul(t, 0.5), 0.5);
  const one = x.graph.constant({ dtype: "float32", dims: [], data: Float32Array.of(1) });
  return f.mul(dy, f.add(half, f.mul(f.mul(x, f.sub(one, f.square(t))), slope)));
}

function productGradient(
  node: Node,
  dy: Value,
  needs: readonly boolean[],
  alpha: number,
  transA: 0 | 1,
  transB: 0 | 1,
): Values {
  const [a, b] = [x0(node), x1(node)];
  const g = (p: Value, q: Value, tp: boolean, tq: boolean): Value => f.product(p, q, { alpha, transA: tp, transB: tq });
  const da = !needs[0] ? undefined : transA ? g(b, dy, transB === 1, true) : g(dy, b, false, transB === 0);
  const db = !needs[1] ? undefined : transB ? g(dy, a, true, transA === 1) : g(a, dy, transA === 0, false);
  return [da && unbroadcast(da, a), db && unbroadcast(db, b)];
}

function extreme(node: Node<"Max" | "Min">, dy: Values, needs: readonly boolean[], op: "Max" | "Min"): Values {
  const [a, b, d] = [x0(node), x1(node), out(dy)];
  const wins = (p: Value, q: Value): Value => {
    const strict = f.cast(op === "Max" ? f.greater(p, q) : f.less(p, q), "float32");
    return f.add(strict, f.mul(f.cast(f.equal(p, q), "float32"), 0.5));
  };
  return [
    needs[0] ? unbroadcast(f.mul(d, wins(a, b)), a) : undefined,
    needs[1] ? unbroadcast(f.mul(d, wins(b, a)), b) : undefined,
  ];
}

/** Sums away what broadcasting repeated, so that the gradient has the shape of `value`. */
function unbroadcast(dy: Value, value: Value): Value {
  const shape = value.shape;
  const extra = dy.shape.length - shape.length;
  const axes: number[] = [];
  dy.shape.forEach((dim, i) => {
    const own = i < extra ? undefined : shape[i - extra];
    if (own === undefined || (own === 1 && dim !== 1)) axes.push(i);
  });
  if (axes.length === 0) return dy;
  // One matrix product where only leading axes go: a bias.
  const leading = axes.every((axis, i) => axis === i) && axes.length === dy.shape.length - 1;
  if (leading) return f.reshape(f.columnSums(f.asMatrix(dy)), shape);
  return f.reshape(f.apply("ReduceSum", [dy], { axes, keepdims: 1 }), shape);
}

function kept(node: Node<"ReduceSum" | "ReduceMean" | "ReduceMax">, dy: Value): Value {
  const axes = new Set(node.attrs.axes);
  return f.reshape(dy, x0(node).shape.map((d, i) => (axes.has(i) ? 1 : d)));
}

function ones(node: Node): Value {
  return f.scalar(x0(node), 1);
}

function out(dy: Values): Value {
  return dy[0] as Value;
}
function x0(node: Node): Value {
  return node.inputs[0] as Value;
}
function x1(node: Node): Value {
  return node.inputs[1] as Value;
}
function x2(node: Node): Value {
  return node.inputs[2] as Value;
}
function y0(node: Node): Value {
  const y = node.outputs[0] as Value;
  return y.graph.readAs(y);
}

function noRule(node: Node, why: string): AttuneError {
  return new AttuneError(`No gradient of ${node.op} (in ${node.scope || "the graph"}): ${why}`, {
    code: "NO_GRADIENT",
    plugin: "graph",
    found: node.op,
  });
}

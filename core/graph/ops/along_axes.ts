/** Ops along axes: softmax, reductions, norms. */
import { sizeOfShape } from "./dims.ts";
import {
  apply,
  asMatrix,
  cast,
  columnSums,
  div,
  equal,
  exp,
  expand,
  mean,
  mul,
  reshape,
  sub,
  sum,
} from "./functions.ts";
import { axisOf } from "./arrangement.ts";
import { noGradient, perInput } from "./gradient_rules.ts";
import {
  any,
  type Applied,
  axisForm,
  type Call,
  float,
  floats,
  floatsOfCpu,
  type Inferred,
  int,
  type Kernels,
  kernels,
  numbers,
  type OnnxForm,
  type OpRecord,
  type OpRecords,
  type RowRule,
  shortNumbers,
} from "./record.ts";
import { arg, like, same } from "./shape_rules.ts";
import type { AxisOps } from "./ops.ts";
import type { Value } from "./value.ts";

type Softmax = "Softmax" | "LogSoftmax";
type Reduction = "ReduceSum" | "ReduceMean" | "ReduceMax";
type Norm = "LayerNormalization" | "SimplifiedLayerNormalization";

const softmaxRows: RowRule<Softmax> = ({ attrs: { axis } }, form) => (axis === axisOf(form) ? undefined : [form]);
const reduction = (kernels: Kernels, gradient: OpRecord<Reduction>["gradient"]): OpRecord<Reduction> => ({
  shape: reduced,
  gradient,
  kernels,
  form: ({ axes, keepdims }) => ({ inputs: [{ ints: axes }], attributes: { keepdims: int(keepdims) } }),
});
const norm = <O extends Norm>(statistics: number, gradient: OpRecord<O>["gradient"]): OpRecord<O> => ({
  shape: (call) => {
    const x = arg(call, 0);
    return [like(x), ...Array.from({ length: statistics }, () => like(x, [...x.shape.slice(0, -1), 1]))];
  },
  gradient,
  kernels: floats,
  rows: ({ inputs: [x, ...parameters] }, form) =>
    axisOf(form) === Number(x?.shape.length) - 1 ? undefined : [form, ...parameters.map(() => undefined)],
  recompute: "passes",
  form: ({ epsilon }): OnnxForm => ({ attributes: { axis: int(-1), epsilon: float(epsilon) } }),
});

/** The records of these ops. */
export const alongAxes: OpRecords<AxisOps> = {
  Softmax: {
    shape: same,
    gradient: ({ y, attrs: { axis } }, dy) => mul(y, sub(dy, sum(mul(dy, y), axis, true))),
    kernels: floats,
    rows: softmaxRows,
    recompute: "attention",
    form: axisForm,
  },
  LogSoftmax: {
    shape: same,
    gradient: ({ y, attrs: { axis } }, dy) => sub(dy, mul(exp(y), sum(dy, axis, true))),
    kernels: floatsOfCpu,
    rows: softmaxRows,
    form: axisForm,
  },
  ReduceSum: reduction(numbers, (node, dy) => expand(withAxes(node, dy), node.x.shape)),
  ReduceMean: reduction(shortNumbers, (node, dy) => {
    const { x, attrs } = node;
    const size = sizeOfShape(attrs.axes.map((a) => x.shape[a] ?? 1));
    if (typeof size === "number") return expand(mul(withAxes(node, dy), 1 / size), x.shape);
    throw noGradient(node.node, "a mean over a symbolic axis: use a sum and divide by a count");
  }),
  // The gradient goes to the largest element; several share it equally, as in torch's amax.
  ReduceMax: reduction(kernels(any.cpu, numbers.cpu), (node, dy) => {
    const largest = cast(equal(node.x, withAxes(node, node.y)), "float32");
    const count = apply("ReduceSum", [largest], { axes: node.attrs.axes, keepdims: 1 });
    return mul(largest, div(withAxes(node, dy), count));
  }),
  ArgMax: {
    shape: (call) => [{ dtype: "int64", shape: arg(call, 0).shape.filter((_, i) => i !== call.attrs.axis) }],
    gradient: null,
    kernels: shortNumbers,
    form: ({ axis }) => ({ attributes: { axis: int(axis), keepdims: int(0) } }),
  },
  // x̂ = (x - μ)/σ, g = dy w: dx = (g - mean g - x̂ mean(g x̂)) / σ
  LayerNormalization: norm(
    2,
    perInput(
      ({ x, b: weight, node: { outputs: [, mu, inverse] } }, dy) => {
        const normal = mul(sub(x, mu as Value), inverse as Value);
        const g = mul(dy, weight);
        return mul(sub(sub(g, mean(g, -1, true)), mul(normal, mean(mul(g, normal), -1, true))), inverse as Value);
      },
      ({ x, node: { outputs: [, mu, inverse] } }, dy) =>
        columnSums(asMatrix(mul(dy, mul(sub(x, mu as Value), inverse as Value)))),
      (_, dy) => columnSums(asMatrix(dy)),
    ),
  ),
  // x̂ = x/rms: dx = (g - x̂ mean(g x̂)) / rms
  SimplifiedLayerNormalization: norm(
    1,
    perInput(
      ({ x, b: weight, node: { outputs: [, inverse] } }, dy) => {
        const normal = mul(x, inverse as Value);
        const g = mul(dy, weight);
        return mul(sub(g, mul(normal, mean(mul(g, normal), -1, true))), inverse as Value);
      },
      ({ x, node: { outputs: [, inverse] } }, dy) => columnSums(asMatrix(mul(dy, mul(x, inverse as Value)))),
    ),
  ),
};

function reduced(call: Call<Reduction>): readonly Inferred[] {
  const x = arg(call, 0);
  const axes = new Set(call.attrs.axes);
  const shape = call.attrs.keepdims
    ? x.shape.map((d, i) => (axes.has(i) ? 1 : d))
    : x.shape.filter((_, i) => !axes.has(i));
  return [like(x, shape)];
}

/** Restores the axes that a reduction removed, with size 1. */
function withAxes({ x, attrs }: Applied<Reduction>, value: Value): Value {
  return reshape(value, x.shape.map((d, i) => (attrs.axes.includes(i) ? 1 : d)));
}

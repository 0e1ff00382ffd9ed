/** One small graph per op, or several: what the runtime and the gradient rules are checked on. */
import * as f from "../../../core/graph/ops/functions.ts";
import { Graph, type Value } from "../../../core/graph/graph.ts";
import type { Op } from "../../../core/graph/ops/ops.ts";
import { i32 } from "../../../core/base/tensor.ts";

/** A graph of one float result; inputs x, y, z are float32 and differentiable where the op is. */
export type OpCase = Readonly<
  {
    op: Op;
    name: string;
    positive?: boolean;
    shapes: Readonly<Record<string, readonly number[]>>;
    build: (v: Readonly<Record<string, Value>>) => Value;
  }
>;

const int = (like: Value, dims: readonly number[], data: readonly number[]): Value =>
  like.graph.constant(i32(dims, data));
const float = (x: Value): Value => f.cast(x, "float32");
const unary = (op: Op, apply: (x: Value) => Value, positive = false): OpCase => ({
  op,
  name: op,
  positive,
  shapes: { x: [3, 4] },
  build: ({ x }) => apply(x!),
});
const binary = (op: Op, apply: (a: Value, b: Value) => Value, positive = false): OpCase[] =>
  ([[[3, 4], [3, 4]], [[3, 4], [4]], [[2, 1, 4], [3, 1]], [[1], [2, 3]]] as const).map(([x, y]) => ({
    op,
    name: `${op} [${x}] [${y}]`,
    positive,
    shapes: { x, y },
    build: (v) => apply(v.x!, v.y!),
  }));

/** Every op at least once; a test compares with the list of ops. */
export const cases: readonly OpCase[] = [
  unary("Identity", (x) => f.apply("Identity", [x], {})),
  unary("Neg", f.neg),
  unary("Abs", f.abs),
  unary("Sign", f.sign),
  unary("Sqrt", f.sqrt, true),
  unary("Reciprocal", f.reciprocal, true),
  unary("Exp", f.exp),
  unary("Log", f.log, true),
  unary("Sin", (x) => f.apply("Sin", [x], {})),
  unary("Cos", (x) => f.apply("Cos", [x], {})),
  unary("Erf", f.erf),
  unary("Tanh", f.tanh),
  unary("Sigmoid", f.sigmoid),
  unary("Softplus", f.softplus),
  unary("Relu", f.relu),
  unary("HardSigmoid", (x) => f.apply("HardSigmoid", [x], { alpha: 0.5, beta: 0.5 })),
  unary("Gelu", (x) => f.gelu(x)),
  unary("Gelu", (x) => f.gelu(x, "tanh")),
  unary("QuickGelu", f.silu),
  unary("QuickGelu", (x) => f.apply("QuickGelu", [x], { alpha: 1.702 })),
  unary("Not", (x) => float(f.not(f.greater(x, 0)))),
  unary("Cast", (x) => float(f.cast(x, "int32"))),
  ...binary("Add", f.add),
  ...binary("Sub", f.sub),
  ...binary("Mul", f.mul),
  ...binary("Div", f.div, true),
  ...binary("Max", f.maximum),
  ...binary("Min", f.minimum),
  { op: "Pow", name: "Pow", positive: true, shapes: { x: [3, 2] }, build: ({ x }) => f.pow(x!, 2.5) },
  ...binary("Equal", (a, b) => float(f.equal(a, b))),
  ...binary("Less", (a, b) => float(f.less(a, b))),
  ...binary("Greater", (a, b) => float(f.greater(a, b))),
  ...binary("And", (a, b) => float(f.and(f.greater(a, 0), f.greater(b, 0)))),
  ...binary("Or", (a, b) => float(f.or(f.greater(a, 0), f.greater(b, 0)))),
  {
    op: "Where",
    name: "Where",
    shapes: { x: [3, 4], y: [4], z: [3, 1] },
    build: ({ x, y, z }) => f.where(f.greater(x!, 0.1), y!, z!),
  },
  { op: "MatMul", name: "MatMul", shapes: { x: [3, 4], y: [4, 2] }, build: ({ x, y }) => f.matmul(x!, y!) },
  { op: "MatMul", name: "MatMul batched", shapes: { x: [2, 3, 4], y: [4, 2] }, build: ({ x, y }) => f.matmul(x!, y!) },
  ...([[false, false], [true, false], [false, true], [true, true]] as const).flatMap(([transA, transB]): OpCase[] => {
    const [x, y] = [transA ? [2, 4, 3] : [2, 3, 4], transB ? [2, 5, 4] : [2, 4, 5]];
    const [a, b] = [transA ? [4, 3] : [3, 4], transB ? [5, 4] : [4, 5]];
    return [
      {
        op: "FusedMatMul",
        name: `FusedMatMul ${transA} ${transB}`,
        shapes: { x, y },
        build: (v) => f.product(v.x!, v.y!, { alpha: 0.7, transA, transB }),
      },
      {
        op: "Gemm",
        name: `Gemm ${transA} ${transB}`,
        shapes: { x: a, y: b, z: [5] },
        build: (v) => f.gemm(v.x!, v.y!, v.z!, { alpha: 0.7, transA, transB }),
      },
    ];
  }),
  { op: "Gemm", name: "Gemm without C", shapes: { x: [3, 4], y: [4, 5] }, build: ({ x, y }) => f.gemm(x!, y!) },
  { op: "Transpose", name: "Transpose", shapes: { x: [2, 3, 4] }, build: ({ x }) => f.transpose(x!, [2, 0, 1]) },
  { op: "Reshape", name: "Reshape", shapes: { x: [2, 6] }, build: ({ x }) => f.reshape(x!, [3, 4]) },
  { op: "Expand", name: "Expand", shapes: { x: [3, 1] }, build: ({ x }) => f.expand(x!, [2, 3, 4]) },
  { op: "Concat", name: "Concat", shapes: { x: [2, 3], y: [2, 1] }, build: ({ x, y }) => f.concat([x!, y!], 1) },
  { op: "Slice", name: "Slice", shapes: { x: [4, 5] }, build: ({ x }) => f.slice(x!, 1, 1, 4) },
  { op: "Slice", name: "Slice to the end", shapes: { x: [4, 5] }, build: ({ x }) => f.slice(x!, 0, 2, null) },
  {
    op: "Gather",
    name: "Gather",
    shapes: { x: [4, 3] },
    build: ({ x }) => f.gather(x!, int(x!, [2, 2], [3, 0, 3, 1])),
  },
  {
    op: "GatherElements",
    name: "GatherElements",
    shapes: { x: [3, 4] },
    build: ({ x }) => f.pick(x!, int(x!, [3], [1, 0, 3])),
  },
  {
    op: "ScatterND",
    name: "ScatterND",
    shapes: { x: [4, 3], y: [3, 3] },
    build: ({ x, y }) => f.apply("ScatterND", [x!, f.cast(int(x!, [3, 1], [2, 0, 2]), "int64"), y!], {}),
  },
  {
    op: "ScatterElements",
    name: "ScatterElements",
    shapes: { x: [3, 4], y: [3, 1] },
    build: ({ x, y }) => f.apply("ScatterElements", [x!, int(x!, [3, 1], [1, 0, 3]), y!], { axis: 1 }),
  },
  { op: "Softmax", name: "Softmax", shapes: { x: [2, 3, 4] }, build: ({ x }) => f.softmax(x!) },
  { op: "Softmax", name: "Softmax over axis 1", shapes: { x: [2, 3, 4] }, build: ({ x }) => f.softmax(x!, 1) },
  { op: "LogSoftmax", name: "LogSoftmax", shapes: { x: [3, 4] }, build: ({ x }) => f.logSoftmax(x!) },
  { op: "ReduceSum", name: "ReduceSum", shapes: { x: [2, 3, 4] }, build: ({ x }) => f.sum(x!, 1) },
  { op: "ReduceSum", name: "ReduceSum of all", shapes: { x: [2, 3] }, build: ({ x }) => f.sum(x!) },
  { op: "ReduceMean", name: "ReduceMean", shapes: { x: [2, 3, 4] }, build: ({ x }) => f.mean(x!, -1, true) },
  { op: "ArgMax", name: "ArgMax", shapes: { x: [3, 4] }, build: ({ x }) => float(f.argmax(x!)) },
  { op: "ReduceMax", name: "ReduceMax", shapes: { x: [2, 3, 4] }, build: ({ x }) => f.max(x!, 2) },
  {
    op: "LayerNormalization",
    name: "LayerNormalization",
    shapes: { x: [3, 5], y: [5], z: [5] },
    build: ({ x, y, z }) => f.layerNorm(x!, y!, z!, 1e-5),
  },
  {
    op: "SimplifiedLayerNormalization",
    name: "SimplifiedLayerNormalization",
    shapes: { x: [3, 5], y: [5] },
    build: ({ x, y }) => f.rmsNorm(x!, y!, 1e-5),
  },
];

/** A case's graph with its result. */
export function graphOf(one: OpCase): { graph: Graph; inputs: Record<string, Value>; result: Value } {
  const graph = new Graph();
  const inputs = Object.fromEntries(
    Object.entries(one.shapes).map(([name, shape]) => [name, graph.input(name, "float32", shape)]),
  );
  return { graph, inputs, result: one.build(inputs) };
}

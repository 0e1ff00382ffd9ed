/** Elementwise ops. */
import { elementTypes } from "../../onnx/model.ts";
import type { DType } from "../../base/tensor.ts";
import * as f from "./functions.ts";
import { and, cast, div, equal, exp, greater, less, mul, neg, pow, sigmoid, square, sub, where } from "./functions.ts";
import { broadcast, noGradient, unbroadcast } from "./gradient_rules.ts";
import {
  any,
  bools,
  type Call,
  float,
  floats,
  floatsOfCpu,
  type Gradient,
  type Inferred,
  int,
  type Kernels,
  kernels,
  numbers,
  type OpRecord,
  type OpRecords,
  shortNumbers,
} from "./record.ts";
import { arg, broadcastShapes, misfit, same } from "./shape_rules.ts";
import type { ElementwiseOps } from "./ops.ts";
import type { Value } from "./value.ts";

type Elementwise = keyof ElementwiseOps;
type More<O extends Elementwise> = Partial<OpRecord<O>>;

const unary = <O extends Elementwise>(
  kernels: Kernels,
  gradient: Gradient<O> | null,
  more: More<O> = {},
): OpRecord<O> => ({ shape: same, gradient, kernels, rows: "elementwise", recompute: "passes", ...more });

const binary = <O extends Elementwise>(
  kernels: Kernels,
  gradient: Gradient<O> | null,
  more: More<O> = {},
): OpRecord<O> => ({ shape: broadcasting, gradient, kernels, rows: "elementwise", recompute: "passes", ...more });

const comparison = (kernels: Kernels): OpRecord<"Equal" | "Less" | "Greater" | "And" | "Or"> =>
  binary(kernels, null, { shape: (call) => broadcasting(call).map(({ shape }) => ({ dtype: "bool", shape })) });

/** For ops that cost far more than a pass over memory, and so are not recomputed in the backward pass. */
const slow = { recompute: undefined };

/** The dtypes that have gradients (of the same dtype). */
const differentiable: ReadonlySet<DType> = new Set<DType>(["float32", "float16", "bfloat16"]);

/** The records of these ops. */
export const elementwise: OpRecords<ElementwiseOps> = {
  Identity: unary(any, (_, dy) => dy),
  Neg: unary(numbers, (_, dy) => neg(dy)),
  Abs: unary(numbers, ({ x }, dy) => mul(dy, f.sign(x))),
  Sign: unary(kernels(numbers.cpu, []), null),
  Sqrt: unary(floats, ({ y }, dy) => div(mul(dy, 0.5), y)),
  Reciprocal: unary(floats, ({ y }, dy) => neg(mul(dy, square(y)))),
  Exp: unary(floats, ({ y }, dy) => mul(dy, y)),
  Log: unary(floats, ({ x }, dy) => div(dy, x), slow),
  Sin: unary(floatsOfCpu, ({ x }, dy) => mul(dy, f.cos(x))),
  Cos: unary(floatsOfCpu, ({ x }, dy) => neg(mul(dy, f.sin(x)))),
  Erf: unary(floats, ({ x }, dy) => mul(mul(dy, 2 / Math.sqrt(Math.PI)), exp(neg(square(x))))),
  Tanh: unary(floats, ({ y }, dy) => mul(dy, sub(one(y), square(y)))),
  Sigmoid: unary(floats, ({ y }, dy) => mul(dy, mul(y, sub(one(y), y)))),
  Softplus: unary(floats, ({ x }, dy) => mul(dy, sigmoid(x)), slow),
  Relu: unary(kernels(["float32", "int32"]), ({ y }, dy) => mul(dy, cast(greater(y, 0), "float32"))),
  HardSigmoid: unary(
    floats,
    ({ y, attrs: { alpha } }, dy) => mul(mul(dy, alpha), cast(and(greater(y, 0), less(y, 1)), "float32")),
    { form: ({ alpha, beta }) => ({ attributes: { alpha: float(alpha), beta: float(beta) } }) },
  ),
  Gelu: unary(
    floats,
    ({ x, attrs: { approximate } }, dy) => mul(dy, approximate === "tanh" ? geluTanhSlope(x) : geluSlope(x)),
    { form: ({ approximate }) => ({ attributes: { approximate: { type: "string", value: approximate } } }) },
  ),
  QuickGelu: unary(floats, ({ x, attrs: { alpha } }, dy) => mul(dy, swishSlope(alpha === 1 ? x : mul(x, alpha))), {
    form: ({ alpha }) => ({ attributes: { alpha: float(alpha) } }),
    isContribOp: true,
  }),
  Not: unary(bools, null),
  Cast: unary(any, ({ x }, dy) => (differentiable.has(x.dtype) ? cast(dy, x.dtype) : undefined), {
    shape: (call) => [{ dtype: call.attrs.to, shape: arg(call, 0).shape }],
    form: ({ to }) => ({ attributes: { to: int(elementTypes[to]) } }),
  }),
  Add: binary(shortNumbers, broadcast((_, dy) => dy, (_, dy) => dy)),
  Sub: binary(shortNumbers, broadcast((_, dy) => dy, ({ b }, dy) => neg(unbroadcast(dy, b)))),
  Mul: binary(shortNumbers, broadcast(({ b }, dy) => mul(dy, b), ({ a }, dy) => mul(dy, a))),
  Div: binary(
    shortNumbers,
    broadcast(({ b }, dy) => div(dy, b), ({ b, y }, dy) => neg(unbroadcast(mul(div(dy, b), y), b))),
  ),
  Pow: binary(
    numbers,
    broadcast(({ a, b }, dy) => mul(dy, mul(b, pow(a, sub(b, 1)))), ({ node }) => {
      throw noGradient(node, "the exponent must not be trained");
    }),
    slow,
  ),
  // The gradient goes to the larger operand, half to each where they are equal, as in torch's maximum.
  Max: binary(
    numbers,
    broadcast(({ a, b }, dy) => mul(dy, wins(greater, a, b)), ({ a, b }, dy) => mul(dy, wins(greater, b, a))),
  ),
  Min: binary(
    numbers,
    broadcast(({ a, b }, dy) => mul(dy, wins(less, a, b)), ({ a, b }, dy) => mul(dy, wins(less, b, a))),
  ),
  Equal: comparison(kernels(any.cpu, ["float32", "int32"])),
  Less: comparison(shortNumbers),
  Greater: comparison(shortNumbers),
  And: comparison(bools),
  Or: comparison(bools),
  Where: binary(numbers, broadcast(undefined, ({ x }, dy) => where(x, dy, 0), ({ x }, dy) => where(x, 0, dy)), {
    shape: (call) => {
      const [c, a, b] = [arg(call, 0), arg(call, 1), arg(call, 2)];
      if (c.dtype !== "bool" || a.dtype !== b.dtype) throw misfit(call, "a bool and two tensors of one dtype");
      return [{ dtype: a.dtype, shape: broadcastShapes(call, c.shape, broadcastShapes(call, a.shape, b.shape)) }];
    },
  }),
};

function broadcasting(call: Pick<Call, "op" | "inputs">): readonly Inferred[] {
  const [a, b] = [arg(call, 0), arg(call, 1)];
  if (a.dtype !== b.dtype) throw misfit(call, "operands of one dtype");
  return [{ dtype: a.dtype, shape: broadcastShapes(call, a.shape, b.shape) }];
}

function one(like: Value): Value {
  return f.scalar(like, 1);
}

// Φ(x) + x φ(x): Φ = HardSigmoid(½t + ½) of t = erf(x/√2), constants folded into the exponent
function geluSlope(x: Value): Value {
  const cdf = f.apply("HardSigmoid", [f.erf(mul(x, Math.SQRT1_2))], { alpha: 0.5, beta: 0.5 });
  const density = exp(sub(mul(square(x), -0.5), 0.5 * Math.log(2 * Math.PI)));
  return f.add(cdf, mul(x, density));
}

// u = √(2/π)(x + 0.044715 x³), t = tanh u: ½(1 + t) + ½ x (1 - t²) u'
function geluTanhSlope(x: Value): Value {
  const c = Math.sqrt(2 / Math.PI);
  const x2 = square(x);
  const t = f.tanh(mul(x, f.add(mul(x2, 0.044715 * c), c)));
  const slope = f.add(mul(x2, 3 * 0.044715 * c * 0.5), 0.5 * c);
  const half = f.add(mul(t, 0.5), 0.5);
  return f.add(half, mul(mul(x, sub(one(x), square(t))), slope));
}

// s + z s (1 - s) with s = σ(z), z = αx
function swishSlope(z: Value): Value {
  const s = sigmoid(z);
  return f.add(s, mul(mul(z, s), sub(one(z), s)));
}

/** 1 where `a` beats `b`, ½ where they are equal, else 0. */
function wins(beats: typeof greater, a: Value, b: Value): Value {
  return f.add(cast(beats(a, b), "float32"), mul(cast(equal(a, b), "float32"), 0.5));
}

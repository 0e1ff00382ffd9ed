/** Matrix products. */
import { axisOf } from "./arrangement.ts";
import { type Dim, mulDims, type Shape, sizeOfShape } from "./dims.ts";
import { gemm, product } from "./functions.ts";
import { broadcast } from "./gradient_rules.ts";
import {
  type Call,
  float,
  floats,
  floatsOfCpu,
  type Gradient,
  type Inferred,
  int,
  numbers,
  type OnnxForm,
  type OpRecords,
  type RowForm,
} from "./record.ts";
import { arg, broadcastShapes, misfit } from "./shape_rules.ts";
import type { Ops, ProductOps } from "./ops.ts";
import type { Node, Value } from "./value.ts";

type Product = keyof ProductOps;
type Turns = Readonly<{ alpha?: number; transA?: 0 | 1; transB?: 0 | 1 }>;
type Multiply = (a: Value, b: Value, options: Readonly<{ alpha: number; transA: boolean; transB: boolean }>) => Value;

/** dA = dY Bᵀ, dB = Aᵀ dY, for operands transposed or not. */
const productGradient = <O extends Product>(multiply: Multiply): Gradient<O> => {
  const by = ({ alpha = 1 }: Turns, p: Value, q: Value, transA: boolean, transB: boolean): Value =>
    multiply(p, q, { alpha, transA, transB });
  return broadcast<O>(
    ({ b, attrs }, dy) => {
      const { transA, transB }: Turns = attrs;
      return transA ? by(attrs, b, dy, transB === 1, true) : by(attrs, dy, b, false, !transB);
    },
    ({ a, attrs }, dy) => {
      const { transA, transB }: Turns = attrs;
      return transB ? by(attrs, dy, a, true, transA === 1) : by(attrs, a, dy, !transA, false);
    },
    (_, dy) => dy,
  );
};

/** The records of these ops. */
export const products: OpRecords<ProductOps> = {
  MatMul: {
    shape: multiplied,
    gradient: productGradient(product),
    kernels: numbers,
    rows: batchedRows,
    recompute: "attention",
    multiplyAdds,
  },
  FusedMatMul: {
    shape: multiplied,
    gradient: productGradient(product),
    kernels: floatsOfCpu,
    rows: batchedRows,
    recompute: "attention",
    multiplyAdds,
    form: turnedForm,
    isContribOp: true,
  },
  Gemm: {
    shape: (call) => {
      if ([arg(call, 0), arg(call, 1)].some(({ shape }) => shape.length !== 2)) throw misfit(call, "two matrices");
      return multiplied(call);
    },
    gradient: productGradient((a, b, options) => gemm(a, b, undefined, options)),
    kernels: floats,
    rows: ({ inputs, attrs }, form, seq) => {
      if (attrs.transA || form !== "flat") return undefined;
      const flat = mulDims("batch", seq);
      const holds = (x: Value | undefined): boolean => x?.shape.length === 2 && x.shape[0] === flat;
      return inputs.map((x, i) => (i === 0 || (i === 2 && holds(x)) ? form : undefined));
    },
    multiplyAdds,
    form: turnedForm,
  },
};

function multiplied(call: Call<Product>): readonly Inferred[] {
  const { transA, transB }: Turns = call.attrs;
  const [a, b] = [arg(call, 0), arg(call, 1)];
  if (a.shape.length < 2 || b.shape.length < 2 || a.dtype !== b.dtype) throw misfit(call, "matrices of one dtype");
  const [m, k] = ends(a.shape, transA);
  const [l, n] = ends(b.shape, transB);
  if (k !== l) throw misfit(call, `equal inner dims (${k} and ${l})`);
  const batch = broadcastShapes(call, a.shape.slice(0, -2), b.shape.slice(0, -2));
  return [{ dtype: a.dtype, shape: [...batch, m, n] }];
}

function ends(shape: Shape, transposed?: 0 | 1): [Dim, Dim] {
  const [r, c] = [shape.at(-2) ?? 1, shape.at(-1) ?? 1];
  return transposed ? [c, r] : [r, c];
}

function batchedRows({ inputs: [a], outputs: [y], attrs }: Node<"MatMul" | "FusedMatMul">, form: RowForm) {
  const { transA }: Turns = attrs;
  const rank = y?.shape.length ?? 0;
  return transA || axisOf(form) !== rank - 2 || a?.shape.length !== rank ? undefined : [form, undefined];
}

function multiplyAdds(call: Call<Product>): Dim {
  const [, k] = ends(arg(call, 0).shape, (call.attrs as Turns).transA);
  return mulDims(sizeOfShape(multiplied(call)[0]?.shape ?? []), k);
}

function turnedForm({ alpha, transA, transB }: Ops["FusedMatMul"]): OnnxForm {
  return { attributes: { alpha: float(alpha), transA: int(transA), transB: int(transB) } };
}

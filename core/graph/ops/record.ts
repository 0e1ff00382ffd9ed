/**
 * What there is to know of an op, in one record: shapes and dtypes, gradient, rows, cost, kernels, and its form in ONNX.
 * (What it computes stands apart, in `conformance/oracle/interpreter.ts`: no run needs that.)
 */
import type { OnnxAttribute } from "../../onnx/model.ts";
import type { DType } from "../../base/tensor.ts";
import type { Dim, Shape } from "./dims.ts";
import type { Op, Ops } from "./ops.ts";
import type { Node, Value } from "./value.ts";

/** The record of an op. */
export type OpRecord<O extends Op = Op> = Readonly<{
  /** dtypes and shapes of the outputs. Throws where the inputs do not fit. */
  shape: (call: Call<O>) => readonly Inferred[];
  /**
   * The gradient of an input (its number is the third argument) from that of the first output. `null`: the derivative is
   * zero wherever there is one, so that gradients end there; an op whose derivative is not zero has a rule or throws.
   */
  gradient: Gradient<O> | null;
  /** Which dtypes of its first tensor have a kernel. */
  kernels: Kernels;
  /** How chosen rows of the result come from chosen rows of the inputs; absent: they need all of them. */
  rows?: "elementwise" | RowRule<O>;
  /**
   * What may make it again in the backward pass: "passes" where it costs about one pass over memory, "attention" where it
   * is a part of attention's scores.
   */
  recompute?: "passes" | "attention" | undefined;
  /** The multiply-adds of a product. */
  multiplyAdds?: (call: Call<O>) => Dim;
  /** What ONNX wants beside the inputs. */
  form?: (attrs: Ops[O]) => OnnxForm;
  /** Whether it lives in ONNX Runtime's own domain. */
  isMicrosofts?: true;
}>;

/** The records of a family of ops: one of each. */
export type OpRecords<Family> = { readonly [O in keyof Family & Op]: OpRecord<O> };

/** An application of an op, as shape rules see it: its inputs may not belong to a graph yet. */
export type Call<O extends Op = Op> = Readonly<{ op: O; inputs: readonly (Inferred | undefined)[]; attrs: Ops[O] }>;

/** dtype and shape of a value. */
export type Inferred = Readonly<{ dtype: DType; shape: Shape }>;

/** A gradient rule: it builds nodes, of one input at a time. */
export type Gradient<O extends Op> = (node: Applied<O>, dy: Value, input: number) => Value | undefined;

/** A node as gradient rules read it: `x` or `a`, `b`, `c` are its inputs, `y` is its first output. */
export type Applied<O extends Op = Op> = Readonly<{
  x: Value;
  a: Value;
  b: Value;
  c: Value;
  y: Value;
  attrs: Ops[O];
  node: Node<O>;
}>;

/**
 * Where chosen places lie: on axis 0 as batch*seq ("flat"), or on an axis behind a batch axis 0, which holds the places
 * once ("seq") or several times in turn ("3*seq": query heads that share a key head).
 */
export type RowForm = "flat" | number;

/**
 * Of each input, where the places lie whose choice gives the places that are asked for in `form` of the result; undefined
 * for an input that stays whole. Undefined altogether where there is no way.
 */
export type RowRule<O extends Op> = (
  node: Node<O>,
  form: RowForm,
  seq: string,
) => readonly (RowForm | undefined)[] | undefined;

/** Dtypes that a provider has kernels for. The WebAssembly build has the CPU's, and CUDA is taken to. */
export type Kernels = Readonly<{ cpu: readonly DType[]; webgpu: readonly DType[] }>;

/** The attributes of a node in ONNX, and the inputs that stand behind its own. */
export type OnnxForm = Readonly<{
  attributes?: Readonly<Record<string, OnnxAttribute>>;
  inputs?: readonly OnnxInput[];
}>;

/** Whole numbers, or sizes; `inferred`: one of these may be left to the runtime. */
export type OnnxInput = Readonly<{ ints: readonly number[] }> | Readonly<{ sizes: Shape; inferred?: boolean }>;

/** An attribute that is a whole number. */
export function int(value: number): OnnxAttribute {
  return { type: "int", value };
}

/** An attribute that is a number. */
export function float(value: number): OnnxAttribute {
  return { type: "float", value };
}

/** The attribute `axis` alone: the form of an op along an axis. */
export function axisForm({ axis }: Readonly<{ axis: number }>): OnnxForm {
  return { attributes: { axis: int(axis) } };
}

const all: readonly DType[] = ["float32", "int32", "int64", "bool"];
const real: readonly DType[] = ["float32", "int32", "int64"];

/** Kernels for float32 alone. */
export const floats: Kernels = kernels(["float32"]);
/** Kernels for floats and integers. */
export const numbers: Kernels = kernels(real);
/** Kernels for bools alone. */
export const bools: Kernels = kernels(["bool"]);
/** Kernels for every dtype. */
export const any: Kernels = kernels(all);
/** Kernels for floats and integers; WebGPU has none of int64. */
export const shortNumbers: Kernels = kernels(real, ["float32", "int32"]);
/** Kernels for float32 on the CPU alone. */
export const floatsOfCpu: Kernels = kernels(["float32"], []);

/** The kernels of two providers. */
export function kernels(cpu: readonly DType[], webgpu: readonly DType[] = cpu): Kernels {
  return { cpu, webgpu };
}

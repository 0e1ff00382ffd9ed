/**
 * The record of an op: its shape rule, gradient, row selection, cost, kernels and ONNX form. (The computation itself is
 * only in the reference interpreter, `conformance/oracle/interpreter.ts`, because no run needs it.)
 */
import type { OnnxAttribute } from "../../onnx/model.ts";
import type { DType } from "../../base/tensor.ts";
import type { Dim, Shape } from "./dims.ts";
import type { Op, Ops } from "./ops.ts";
import type { Node, Value } from "./value.ts";

/** The record of an op. */
export type OpRecord<O extends Op = Op> = Readonly<{
  /** Infers dtypes and shapes of the outputs. Throws AttuneError if the inputs do not fit. */
  shape: (call: Call<O>) => readonly Inferred[];
  /**
   * Builds the gradient of an input (its index is the third argument) from that of the first output. `null`: the
   * derivative is zero wherever it exists, so gradients stop here; any other op has a rule or throws.
   */
  gradient: Gradient<O> | null;
  /** The dtypes of the first tensor that have a kernel. */
  kernels: Kernels;
  /** How selected rows of the result follow from selected rows of the inputs; absent: they need all rows. */
  rows?: "elementwise" | RowRule<O>;
  /**
   * The level of recomputation that lets the backward pass run the op again: "passes" if it costs about one pass over
   * memory, "attention" if it is part of computing attention scores.
   */
  recompute?: "passes" | "attention" | undefined;
  /** The number of multiply-adds, for matrix products. */
  multiplyAdds?: (call: Call<O>) => Dim;
  /** The attributes and further inputs that ONNX expects. */
  form?: (attrs: Ops[O]) => OnnxForm;
  /** Whether the op is in ONNX Runtime's own domain, com.microsoft. */
  isContribOp?: true;
}>;

/** The records of a family of ops, one for each op. */
export type OpRecords<Family> = { readonly [O in keyof Family & Op]: OpRecord<O> };

/** An application of an op, as shape rules see it: its inputs may not belong to a graph yet. */
export type Call<O extends Op = Op> = Readonly<{ op: O; inputs: readonly (Inferred | undefined)[]; attrs: Ops[O] }>;

/** The dtype and shape of a value. */
export type Inferred = Readonly<{ dtype: DType; shape: Shape }>;

/** A gradient rule, which builds the gradient nodes of one input at a time. */
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
 * The axis of the selected places: axis 0 as batch*seq ("flat"), or, after a batch axis 0, the axis of this number,
 * which holds the places once ("seq") or repeated ("3*seq": query heads that share a key head).
 */
export type RowForm = "flat" | number;

/**
 * Returns the form in which each input must be selected so that the result has the places selected in `form`: undefined
 * for an input that stays whole. Returns undefined if rows of the result cannot be selected this way.
 */
export type RowRule<O extends Op> = (
  node: Node<O>,
  form: RowForm,
  seq: string,
) => readonly (RowForm | undefined)[] | undefined;

/** Dtypes for which each provider has kernels. The WebAssembly build has the CPU's, and CUDA is assumed to. */
export type Kernels = Readonly<{ cpu: readonly DType[]; webgpu: readonly DType[] }>;

/** The attributes of an ONNX node, and the inputs that it has after those of the op. */
export type OnnxForm = Readonly<{
  attributes?: Readonly<Record<string, OnnxAttribute>>;
  inputs?: readonly OnnxInput[];
}>;

/** Integers, or sizes; `inferred`: the runtime may infer one of the sizes (-1). */
export type OnnxInput = Readonly<{ ints: readonly number[] }> | Readonly<{ sizes: Shape; inferred?: boolean }>;

/** Returns an integer attribute. */
export function int(value: number): OnnxAttribute {
  return { type: "int", value };
}

/** Returns a float attribute. */
export function float(value: number): OnnxAttribute {
  return { type: "float", value };
}

/** The ONNX form of an op whose only attribute is `axis`. */
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
/** Kernels for floats and integers; WebGPU has none for int64. */
export const shortNumbers: Kernels = kernels(real, ["float32", "int32"]);
/** Kernels for float32 on the CPU alone. */
export const floatsOfCpu: Kernels = kernels(["float32"], []);

/** Returns the kernels of both providers. */
export function kernels(cpu: readonly DType[], webgpu: readonly DType[] = cpu): Kernels {
  return { cpu, webgpu };
}

/**
 * What ONNX wants of each op as attributes and as further inputs.
 * @module
 */
import type { Dim } from "../../graph/dims.ts";
import type { Node } from "../../graph/graph.ts";
import { elementTypes, type OnnxAttribute } from "../../onnx/model.ts";
import { int64s, type Lowering, shapeInput } from "./context.ts";

/** The attributes of a node, and the inputs that stand behind its own. */
export type Form = Readonly<{ extra: readonly string[]; attributes: Readonly<Record<string, OnnxAttribute>> }>;

/** The form of a node. */
export function formOf(lowering: Lowering, node: Node): Form {
  const int = (value: number): OnnxAttribute => ({ type: "int", value });
  const float = (value: number): OnnxAttribute => ({ type: "float", value });
  const only = (attributes: Readonly<Record<string, OnnxAttribute>>): Form => ({ extra: [], attributes });
  switch (node.op) {
    case "Cast":
      return only({ to: int(elementTypes[attributesOf(node, "Cast").to]) });
    case "HardSigmoid": {
      const { alpha, beta } = attributesOf(node, "HardSigmoid");
      return only({ alpha: float(alpha), beta: float(beta) });
    }
    case "Gelu":
      return only({ approximate: { type: "string", value: attributesOf(node, "Gelu").approximate } });
    case "QuickGelu":
      return only({ alpha: float(attributesOf(node, "QuickGelu").alpha) });
    case "FusedMatMul":
    case "Gemm": {
      const { alpha, transA, transB } = attributesOf(node, "Gemm");
      return only({ alpha: float(alpha), transA: int(transA), transB: int(transB) });
    }
    case "Transpose":
      return only({ perm: { type: "ints", value: attributesOf(node, "Transpose").perm } });
    case "Reshape":
      return { extra: [shapeInput(lowering, attributesOf(node, "Reshape").shape, true)], attributes: {} };
    case "Expand":
      return { extra: [shapeInput(lowering, attributesOf(node, "Expand").shape, false)], attributes: {} };
    case "Slice": {
      const { axis, start, end } = attributesOf(node, "Slice");
      const place = (
        dim: Dim,
      ): string => (typeof dim === "number" ? int64s(lowering, [dim]) : shapeInput(lowering, [dim], false));
      return { extra: [place(start), place(end ?? 2 ** 31 - 1), int64s(lowering, [axis])], attributes: {} };
    }
    case "Concat":
    case "Gather":
    case "GatherElements":
    case "Softmax":
    case "LogSoftmax":
      return only({ axis: int(attributesOf(node, "Gather").axis) });
    case "ScatterND":
      return only({ reduction: { type: "string", value: "add" } });
    case "ScatterElements":
      return only({
        axis: int(attributesOf(node, "ScatterElements").axis),
        reduction: { type: "string", value: "add" },
      });
    case "ReduceSum":
    case "ReduceMean":
    case "ReduceMax": {
      const { axes, keepdims } = attributesOf(node, "ReduceSum");
      return { extra: [int64s(lowering, axes)], attributes: { keepdims: int(keepdims) } };
    }
    case "ArgMax":
      return only({ axis: int(attributesOf(node, "ArgMax").axis), keepdims: int(0) });
    case "LayerNormalization":
    case "SimplifiedLayerNormalization":
      return only({ axis: int(-1), epsilon: float(attributesOf(node, "LayerNormalization").epsilon) });
    default:
      return only({});
  }
}

/** A node's attributes. Who asks has compared the op: this only tells the compiler. */
export function attributesOf<O extends Node["op"]>(node: Node, _op: O): Node<O>["attrs"] {
  return node.attrs as Node<O>["attrs"];
}

/** The ONNX form of each op: its attributes and further inputs. */
import type { Node } from "../../graph/graph.ts";
import { opTable } from "../../graph/ops/table.ts";
import type { OnnxNode } from "../../onnx/model.ts";
import { int64s, type Lowering, shapeInput } from "./context.ts";

/** Returns an ONNX node without the names of its outputs, given those of its inputs. */
export function formOf(
  lowering: Lowering,
  { op, attrs }: Node,
  names: readonly string[],
): Pick<OnnxNode, "op" | "domain" | "inputs" | "attributes"> {
  const { form, isContribOp } = opTable[op];
  const { inputs = [], attributes = {} } = form?.(attrs) ?? {};
  const more = inputs.map((input) =>
    "ints" in input ? int64s(lowering, input.ints) : shapeInput(lowering, input.sizes, input.inferred === true)
  );
  return { op, domain: isContribOp ? "com.microsoft" : "", inputs: [...names, ...more], attributes };
}

/** Returns a node's attributes. The caller has already checked the op, which here only serves for the type. */
export function attributesOf<O extends Node["op"]>(node: Node, _op: O): Node<O>["attrs"] {
  return node.attrs as Node<O>["attrs"];
}

/** Lowering of graph nodes to ONNX nodes. */
import type { Dim } from "../../graph/ops/dims.ts";
import type { Node, Value } from "../../graph/graph.ts";
import type { OnnxNode } from "../../onnx/model.ts";
import { AGAIN, float32, int64s, type Lowering, nameOf, shapeInput, simpleNode } from "./context.ts";
import { attributesOf, formOf } from "./form.ts";
import { providerRules } from "./providers.ts";
import { decodeQuantized, gatherQuantized, nameAsFloat } from "./quantized.ts";

/** Returns the name of a node's input for the node that computes `reader`. */
type NameInput = (lowering: Lowering, value: Value, reader: string) => string;

/** Lowers a node to ONNX nodes; `isForward`: it reads forward values as first computed, not recomputed ones. */
export function lowerNode(lowering: Lowering, node: Node, isForward: boolean): readonly OnnxNode[] {
  const gathered = gatherQuantized(lowering, node);
  if (gathered) return gathered;
  const outputs = node.outputs.map((value) => nameOf(lowering, value));
  return nodesFor(lowering, node, isForward ? nameAsFloat : nameMadeAgain, outputs);
}

// Recomputed nodes come first in the file, so that they run right before their readers.
function nameMadeAgain(lowering: Lowering, value: Value, reader: string): string {
  const { graph, recomputed, again } = lowering;
  const producer = recomputed.has(value.id) ? graph.producer(value) : undefined;
  if (!producer) return nameAsFloat(lowering, value, reader);
  const outputs = producer.outputs.map((value) => `${nameOf(lowering, value)}${AGAIN}`);
  if (!again.has(producer)) {
    again.set(producer, []);
    again.set(producer, nodesFor(lowering, producer, nameMadeAgain, outputs));
  }
  return outputs[producer.outputs.indexOf(value)] ?? "";
}

function nodesFor(
  lowering: Lowering,
  node: Node,
  nameInput: NameInput,
  outputs: readonly string[],
): readonly OnnxNode[] {
  const { values } = lowering;
  const [output = ""] = outputs;
  node.outputs.forEach((value, i) => values.set(outputs[i] ?? "", value));
  const product = lowering.lowerCodes?.product(lowering, node, (value) => nameInput(lowering, value, output), output);
  if (product) return product;
  const inputs = node.inputs.map((value) => (value ? nameInput(lowering, value, output) : ""));
  const replaced = providerRules[lowering.provider].replace?.(lowering, node, inputs[0] ?? "", output);
  if (replaced) return [replaced];
  const form = formOf(lowering, node, inputs);
  const empty = emptyInner(node);
  const inner = `${output}.product`;
  if (empty !== undefined) values.set(inner, node.outputs[0] as Value);
  return [
    ...decodeQuantized(lowering, node),
    { ...form, name: `${outputs[0]} ${node.scope}`, outputs: empty === undefined ? outputs : [inner] },
    ...(empty === undefined ? [] : zeroWhereEmpty(lowering, empty, inner, output)),
  ];
}

// For a block without rows, ONNX Runtime leaves the sum over the rows uninitialised.
function zeroWhereEmpty(lowering: Lowering, rows: Dim, product: string, output: string): readonly OnnxNode[] {
  const any = `${output}.any`;
  return [
    simpleNode("Greater", [shapeInput(lowering, [rows], false), int64s(lowering, [0])], any),
    simpleNode("Where", [any, product, float32(lowering, 0)], output),
  ];
}

/** Returns the dim that a batched, transposed product sums over, if it is a block of rows, which may be empty. */
function emptyInner(node: Node): Dim | undefined {
  const { transA, transB } = node.op === "FusedMatMul" ? attributesOf(node, "FusedMatMul") : { transA: 0, transB: 0 };
  const shape = node.inputs[0]?.shape ?? [];
  const inner = shape.at(transA ? -2 : -1);
  const isBlock = typeof inner === "string" && inner.includes("@");
  return isBlock && shape.length > 2 && (transA || transB) ? inner : undefined;
}

/** Weights that are stored in fewer bits than they are read in: when and where they become float32. */
import type { Node, Value } from "../../graph/graph.ts";
import { elementTypes, type OnnxNode } from "../../onnx/model.ts";
import { float32, int64s, type Lowering, nameOf, simpleNode } from "./context.ts";
import { attributesOf } from "./form.ts";
import { storedName } from "./storage.ts";

/** Weights of 16 bits that more nodes than this read become float32 once for all of them. */
const MANY_READERS = 4;

/** Matrices of integers are decoded right before the first that reads them, and live until the last one has. */
export function decodeQuantized(lowering: Lowering, node: Node): readonly OnnxNode[] {
  const { quantized, decoded } = lowering;
  return node.inputs.flatMap((value) => {
    const name = value && nameOf(lowering, value);
    if (!name || !quantized.has(value.id) || decoded.has(value.id)) return [];
    decoded.add(value.id);
    const attributes = { axis: { type: "int" as const, value: 0 } };
    return [{ ...simpleNode("DequantizeLinear", [`${name}.int8`, `${name}.scale`], name), attributes }];
  });
}

/**
 * What a value is called as its reader reads it. A weight of 16 bits becomes float32 for each node that reads it, right
 * before: such nodes stand first in the file. One that many nodes read (a head in blocks) becomes so once.
 */
export function nameAsFloat(lowering: Lowering, value: Value, reader: string): string {
  const { halves, readers, casts, encoded, lowerCodes } = lowering;
  const name = nameOf(lowering, value);
  if (lowerCodes && encoded.has(value.id)) return lowerCodes.decodedFor(lowering, value, reader);
  if (!halves.has(value.id)) return name;
  const float = (readers.get(value.id) ?? 0) > MANY_READERS ? `${name}.float` : `${name}.float ${reader}`;
  casts.set(float, [castToFloat(storedName(name), float)]);
  return float;
}

/** Rows looked up in a table that is stored in fewer bits: only these become float32. Undefined for any other node. */
export function gatherQuantized(lowering: Lowering, node: Node): readonly OnnxNode[] | undefined {
  const [table, indices] = node.inputs;
  const [output] = node.outputs;
  if (node.op !== "Gather" || attributesOf(node, "Gather").axis !== 0 || !table || !indices || !output) {
    return undefined;
  }
  const name = nameOf(lowering, table);
  const at = nameOf(lowering, indices);
  const out = nameOf(lowering, output);
  if (lowering.halves.has(table.id)) {
    return [simpleNode("Gather", [storedName(name), at], `${out}.stored`), castToFloat(`${out}.stored`, out)];
  }
  if (!lowering.quantized.has(table.id)) return undefined;
  return [
    simpleNode("Gather", [`${name}.int8`, at], `${out}.int8`),
    simpleNode("Gather", [`${name}.scale`, at], `${out}.scale`),
    simpleNode("DequantizeLinear", [`${out}.int8`, float32(lowering, 1)], `${out}.float`),
    simpleNode("Unsqueeze", [`${out}.scale`, int64s(lowering, [-1])], `${out}.column`),
    simpleNode("Mul", [`${out}.float`, `${out}.column`], out),
  ];
}

function castToFloat(from: string, output: string): OnnxNode {
  return { ...simpleNode("Cast", [from], output), attributes: { to: { type: "int", value: elementTypes.float32 } } };
}

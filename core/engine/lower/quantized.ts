/** Decoding of weights stored as integers or 16-bit floats to float32 within a run. */
import type { Node, Value } from "../../graph/graph.ts";
import { elementTypes, type OnnxNode } from "../../onnx/model.ts";
import { float32, int64s, type Lowering, nameOf, simpleNode } from "./context.ts";
import { attributesOf } from "./form.ts";
import { storedName } from "./storage.ts";

/** 16-bit weights with more readers than this are converted to float32 once for all of them. */
const MANY_READERS = 4;

/** Decodes integer matrices right before their first reader; the result lives until the last one. */
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
 * Returns the name of a value as its reader reads it. A 16-bit weight is converted to float32 right before each reader,
 * by nodes that are first in the file, or only once if it has many readers (a head in blocks).
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

/** Lowers a lookup in a quantized table, so that only the rows looked up are decoded; undefined for any other node. */
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

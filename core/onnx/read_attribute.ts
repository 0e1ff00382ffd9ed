/** Reads attributes of ONNX nodes. */
import { unsupported } from "../base/errors.ts";
import { attributeTypes, type OnnxAttribute, type OnnxTensor } from "./model.ts";
import type { ProtoReader } from "./proto_reader.ts";
import { readTensor } from "./read_tensor.ts";

/** The attribute type of each value field. */
const typeOfField: Readonly<Record<number, OnnxAttribute["type"]>> = {
  2: "float",
  3: "int",
  4: "string",
  5: "tensor",
  7: "floats",
  8: "ints",
};

/**
 * Reads an AttributeProto: its name and value. Writers may omit a value that is 0, "" or empty; very old ones omit the
 * type. Throws AttuneError if it has a subgraph, strings or another unsupported value.
 */
export function readAttribute(r: ProtoReader): readonly [name: string, attribute: OnnxAttribute] {
  let name = "";
  let type: OnnxAttribute["type"] | undefined;
  let inferred: OnnxAttribute["type"] | undefined;
  let number = 0;
  let text = "";
  let tensor: OnnxTensor | undefined;
  const ints: number[] = [];
  const floats: number[] = [];
  for (let field = r.next(); field !== 0; field = r.next()) {
    if (field === 1) name = r.string();
    else if (field === 20) type = attributeType(r.int(), name);
    else if (field === 21 && r.string() !== "") {
      throw unsupported("onnx", `Attribute "${name}"`, "ref_attr_name", "functions are not read");
    }
    const filled = typeOfField[field];
    if (!filled) continue;
    if (inferred && inferred !== filled) {
      throw r.broken(`attribute "${name}" has a value of ${inferred} and one of ${filled}`);
    }
    inferred = filled;
    if (filled === "float") number = r.float();
    else if (filled === "int") number = r.int();
    else if (filled === "string") text = r.string();
    else if (filled === "tensor") tensor = r.message(readTensor);
    else if (filled === "floats") r.floats(floats);
    else r.ints(ints);
  }
  const of = type ?? inferred;
  if (!of) throw r.broken(`attribute "${name}" has no type and no value`);
  if (inferred && inferred !== of) {
    throw r.broken(`attribute "${name}" has a value of ${inferred} where ${of} is declared`);
  }
  if (of === "float" || of === "int") return [name, { type: of, value: number }];
  if (of === "string") return [name, { type: of, value: text }];
  if (of === "floats") return [name, { type: of, value: floats }];
  if (of === "ints") return [name, { type: of, value: ints }];
  if (!tensor) throw r.broken(`attribute "${name}" has no tensor`);
  return [name, { type: "tensor", value: tensor }];
}

function attributeType(code: number, name: string): OnnxAttribute["type"] | undefined {
  if (code === 0) return undefined;
  const type = Object.values(typeOfField).find((type) => attributeTypes[type] === code);
  if (type) return type;
  const allowed = Object.entries(attributeTypes).map(([key, value]) => `${value} (${key})`).join(", ");
  throw unsupported("onnx", `Attribute "${name}"`, code, `attribute types are ${allowed}`);
}

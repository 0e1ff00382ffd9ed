/** Writes ONNX files. Field numbers are those of onnx.proto. */
import { badValue } from "../base/errors.ts";
import { bytesPerElement, sizeOf } from "../base/tensor.ts";
import {
  attributeTypes,
  elementTypes,
  type OnnxAttribute,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValueInfo,
} from "./model.ts";
import { type ProtoWriter, writeProto } from "./proto_writer.ts";

/**
 * Returns the bytes of a model file, which are allocated once.
 *
 * @throws AttuneError if a tensor's bytes do not fit its dims, a number does not fit ONNX, or the file would have
 * 2 GiB or more (store large tensors in an `external` file).
 * @example
 * ```ts
 * import { type OnnxModel, readOnnx, writeOnnx } from "attune/onnx";
 * const x = { name: "x", dtype: "float32", dims: ["n"] } as const;
 * const node = { op: "Relu", domain: "", name: "relu", inputs: ["x"], outputs: ["y"], attributes: {} };
 * const graph = { name: "g", nodes: [node], inputs: [x], outputs: [{ ...x, name: "y" }], initializers: [] };
 * const model: OnnxModel = { irVersion: 10, opsets: [{ domain: "", version: 21 }], producer: "me", graph };
 * console.assert(readOnnx(writeOnnx(model)).graph.nodes[0]?.op === "Relu");
 * ```
 */
export function writeOnnx(model: OnnxModel): Uint8Array {
  for (const tensor of model.graph.initializers) checkTensor(tensor);
  return writeProto("onnx", (w) => writeModel(w, model));
}

function writeModel(w: ProtoWriter, model: OnnxModel): void {
  w.int(1, model.irVersion);
  w.string(2, model.producer);
  w.message(7, (w) => writeGraph(w, model.graph));
  for (const { domain, version } of model.opsets) {
    w.message(8, (w) => {
      w.string(1, domain);
      w.int(2, version);
    });
  }
  for (const [key, value] of Object.entries(model.metadata ?? {})) writeEntry(w, 14, key, value);
}

function writeGraph(w: ProtoWriter, graph: OnnxGraph): void {
  for (const node of graph.nodes) w.message(1, (w) => writeNode(w, node));
  w.string(2, graph.name);
  for (const tensor of graph.initializers) w.message(5, (w) => writeTensor(w, tensor));
  for (const input of graph.inputs) w.message(11, (w) => writeValueInfo(w, input));
  for (const output of graph.outputs) w.message(12, (w) => writeValueInfo(w, output));
}

function writeNode(w: ProtoWriter, node: OnnxNode): void {
  for (const input of node.inputs) w.string(1, input);
  for (const output of node.outputs) w.string(2, output);
  w.string(3, node.name);
  w.string(4, node.op);
  for (const [name, attribute] of Object.entries(node.attributes)) {
    if (attribute.type === "tensor") checkTensor(attribute.value);
    w.message(5, (w) => writeAttribute(w, name, attribute));
  }
  if (node.domain !== "") w.string(7, node.domain);
}

function writeAttribute(w: ProtoWriter, name: string, attribute: OnnxAttribute): void {
  w.string(1, name);
  if (attribute.type === "float") w.float(2, attribute.value);
  else if (attribute.type === "int") w.int(3, attribute.value);
  else if (attribute.type === "string") w.string(4, attribute.value);
  else if (attribute.type === "tensor") w.message(5, (w) => writeTensor(w, attribute.value));
  else if (attribute.type === "floats") w.packedFloats(7, attribute.value);
  else w.packedInts(8, attribute.value);
  w.int(20, attributeTypes[attribute.type]);
}

function writeTensor(w: ProtoWriter, tensor: OnnxTensor): void {
  w.packedInts(1, tensor.dims);
  w.int(2, elementTypes[tensor.dtype]);
  w.string(8, tensor.name);
  if (tensor.data) w.bytes(9, tensor.data);
  if (tensor.external) {
    const { location, offset, length } = tensor.external;
    writeEntry(w, 13, "location", location);
    writeEntry(w, 13, "offset", `${offset}`);
    writeEntry(w, 13, "length", `${length}`);
    w.int(14, 1);
  }
}

function writeValueInfo(w: ProtoWriter, info: OnnxValueInfo): void {
  w.string(1, info.name);
  w.message(2, (w) =>
    w.message(1, (w) => {
      w.int(1, elementTypes[info.dtype]);
      const { dims } = info;
      if (dims) w.message(2, (w) => dims.forEach((dim) => w.message(1, (w) => writeDim(w, dim))));
    }));
}

function writeDim(w: ProtoWriter, dim: number | string): void {
  if (typeof dim === "number") w.int(1, dim);
  else if (dim !== "") w.string(2, dim);
}

function writeEntry(w: ProtoWriter, field: number, key: string, value: string): void {
  w.message(field, (w) => {
    w.string(1, key);
    w.string(2, value);
  });
}

function checkTensor({ name, dtype, dims, data, external }: OnnxTensor): void {
  if ((data === undefined) === (external === undefined)) {
    throw badValue("onnx", `Tensor "${name}"`, data ? "both" : "neither", "either data or external");
  }
  if (!dims.every((dim) => Number.isSafeInteger(dim) && dim >= 0)) {
    throw badValue("onnx", `Tensor "${name}"`, dims, "dims of 0 or more");
  }
  const bytes = sizeOf(dims) * bytesPerElement[dtype];
  const length = data?.length ?? external?.length;
  if (length !== bytes) throw badValue("onnx", `Tensor "${name}"`, length, `${bytes} bytes for ${dtype} [${dims}]`);
  if (external && !(Number.isSafeInteger(external.offset) && external.offset >= 0)) {
    throw badValue("onnx", `Tensor "${name}"`, external.offset, "an offset of 0 or more bytes");
  }
}

/**
 * ONNX files, written. Field numbers are those of onnx.proto.
 * @module
 */
import { attributeTypes, elementTypes, type OnnxAttribute, type OnnxModel, type OnnxTensor, type OnnxValueInfo } from "./model.ts";
import { type ProtoWriter, protoWriter } from "./protobuf.ts";

/** The bytes of a model file. */
export function writeOnnx(model: OnnxModel): Uint8Array {
  const w = protoWriter();
  w.int(1, model.irVersion);
  w.string(2, model.producer);
  w.message(7, (w) => {
    for (const node of model.graph.nodes) {
      w.message(1, (w) => {
        for (const input of node.inputs) w.string(1, input);
        for (const output of node.outputs) w.string(2, output);
        w.string(3, node.name);
        w.string(4, node.op);
        for (const [name, attribute] of Object.entries(node.attributes)) w.message(5, (w) => writeAttribute(w, name, attribute));
        if (node.domain !== "") w.string(7, node.domain);
      });
    }
    w.string(2, model.graph.name);
    for (const tensor of model.graph.initializers) w.message(5, (w) => writeTensor(w, tensor));
    for (const input of model.graph.inputs) w.message(11, (w) => writeValueInfo(w, input));
    for (const output of model.graph.outputs) w.message(12, (w) => writeValueInfo(w, output));
  });
  for (const { domain, version } of model.opsets) {
    w.message(8, (w) => {
      w.string(1, domain);
      w.int(2, version);
    });
  }
  for (const [key, value] of Object.entries(model.metadata ?? {})) {
    w.message(14, (w) => {
      w.string(1, key);
      w.string(2, value);
    });
  }
  return w.finish();
}

function writeAttribute(w: ProtoWriter, name: string, attribute: OnnxAttribute): void {
  w.string(1, name);
  if (attribute.type === "float") w.float(2, attribute.value);
  else if (attribute.type === "int") w.int(3, attribute.value);
  else if (attribute.type === "string") w.bytes(4, new TextEncoder().encode(attribute.value));
  else if (attribute.type === "tensor") w.message(5, (w) => writeTensor(w, attribute.value));
  else if (attribute.type === "floats") w.packedFloats(7, attribute.value);
  else if (attribute.type === "ints") w.packedInts(8, attribute.value);
  w.int(20, attributeTypes[attribute.type]);
}

function writeTensor(w: ProtoWriter, tensor: OnnxTensor): void {
  if (tensor.dims.length > 0) w.packedInts(1, tensor.dims);
  w.int(2, elementTypes[tensor.dtype]);
  w.string(8, tensor.name);
  if (tensor.data) w.bytes(9, tensor.data);
  if (tensor.external) {
    const entries = { location: tensor.external.location, offset: `${tensor.external.offset}`, length: `${tensor.external.length}` };
    for (const [key, value] of Object.entries(entries)) {
      w.message(13, (w) => {
        w.string(1, key);
        w.string(2, value);
      });
    }
    w.int(14, 1);
  }
}

function writeValueInfo(w: ProtoWriter, info: OnnxValueInfo): void {
  w.string(1, info.name);
  w.message(2, (w) =>
    w.message(1, (w) => {
      w.int(1, elementTypes[info.dtype]);
      w.message(2, (w) => {
        for (const dim of info.dims) w.message(1, (w) => (typeof dim === "number" ? w.int(1, dim) : w.string(2, dim)));
      });
    }));
}

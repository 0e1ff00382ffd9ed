/** Reads ONNX files: the parts that `OnnxModel` has. Field numbers are those of onnx.proto. */
import { unsupported } from "../base/errors.ts";
import type { OnnxGraph, OnnxModel, OnnxNode, OnnxValueInfo } from "./model.ts";
import { type ProtoReader, readProto } from "./proto_reader.ts";
import type { ProtoLimits } from "./wire.ts";
import { readAttribute } from "./read_attribute.ts";
import { readEntry, readTensor } from "./read_tensor.ts";
import { readValueInfo } from "./read_value_info.ts";

/** Limits of a file: bytes, total fields and numbers (`items`), and depth of nested messages. */
export type OnnxLimits = ProtoLimits;

const DEFAULTS: OnnxLimits = { bytes: 2 ** 31 - 1, items: 5_000_000, depth: 16 };

/**
 * Reads a model from the bytes of its file. Tensors are views of `bytes`, except those stored as lists of numbers,
 * which are converted to raw bytes. Documentation strings, intermediate shapes and producer versions are ignored. The
 * files of external tensors are not opened, and their paths not checked.
 *
 * @throws AttuneError if the file is truncated, malformed or beyond `limits`, or has content that `OnnxModel` does not
 * support: subgraphs, functions, sparse tensors, other element types.
 * @example
 * ```ts
 * import { readOnnx, writeOnnx } from "attune/onnx";
 * const graph = { name: "empty", nodes: [], inputs: [], outputs: [], initializers: [] };
 * const bytes = writeOnnx({ irVersion: 10, opsets: [{ domain: "", version: 21 }], producer: "me", graph });
 * console.assert(readOnnx(bytes).opsets[0]?.version === 21);
 * ```
 */
export function readOnnx(bytes: Uint8Array, limits: Partial<OnnxLimits> = {}): OnnxModel {
  return readProto("onnx", bytes, { ...DEFAULTS, ...limits }, readModel);
}

function readModel(r: ProtoReader): OnnxModel {
  let irVersion = 0;
  let producer = "";
  let graph: OnnxGraph | undefined;
  const opsets: OnnxModel["opsets"][number][] = [];
  const metadata = new Map<string, string>();
  for (let field = r.next(); field !== 0; field = r.next()) {
    if (field === 1) irVersion = r.int();
    else if (field === 2) producer = r.string();
    else if (field === 7) {
      if (graph) throw r.broken("the model has two graphs");
      graph = r.message(readGraph);
    } else if (field === 8) opsets.push(r.message(readOpset));
    else if (field === 14) readEntry(r, metadata);
    else if (field === 20) throw unsupported("onnx", "Model", "training_info", "only inference graphs are read");
    else if (field === 25) throw unsupported("onnx", "Model", "functions", "only the main graph is read");
  }
  if (!graph) throw r.broken("the model has no graph");
  if (irVersion < 1) throw r.broken(`the model has IR version ${irVersion} where 1 or more is expected`);
  const model = { irVersion, opsets, producer, graph };
  return metadata.size === 0 ? model : { ...model, metadata: Object.fromEntries(metadata) };
}

function readOpset(r: ProtoReader): OnnxModel["opsets"][number] {
  let domain = "";
  let version = 0;
  for (let field = r.next(); field !== 0; field = r.next()) {
    if (field === 1) domain = r.string();
    else if (field === 2) version = r.int();
  }
  return { domain, version };
}

function readGraph(r: ProtoReader): OnnxGraph {
  const nodes: OnnxNode[] = [];
  const initializers: OnnxGraph["initializers"][number][] = [];
  const inputs: OnnxValueInfo[] = [];
  const outputs: OnnxValueInfo[] = [];
  let name = "";
  for (let field = r.next(); field !== 0; field = r.next()) {
    if (field === 1) nodes.push(r.message(readNode));
    else if (field === 2) name = r.string();
    else if (field === 5) initializers.push(r.message(readTensor));
    else if (field === 11) inputs.push(r.message(readValueInfo));
    else if (field === 12) outputs.push(r.message(readValueInfo));
    else if (field === 14) throw unsupported("onnx", "Graph", "quantization_annotation", "quantize by nodes instead");
    else if (field === 15) throw unsupported("onnx", "Graph", "sparse_initializer", "only dense tensors are read");
  }
  return { name, nodes, inputs, outputs, initializers };
}

function readNode(r: ProtoReader): OnnxNode {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes = new Map<string, OnnxNode["attributes"][string]>();
  let name = "";
  let op = "";
  let domain = "";
  for (let field = r.next(); field !== 0; field = r.next()) {
    if (field === 1) inputs.push(r.string());
    else if (field === 2) outputs.push(r.string());
    else if (field === 3) name = r.string();
    else if (field === 4) op = r.string();
    else if (field === 5) {
      const [key, attribute] = r.message(readAttribute);
      if (attributes.has(key)) throw r.broken(`node "${name}" has two attributes "${key}"`);
      attributes.set(key, attribute);
    } else if (field === 7) domain = r.string();
    else if (field === 8 && r.string() !== "") {
      throw unsupported("onnx", `Node "${name}"`, "overload", "functions are not read");
    }
  }
  if (op === "") throw r.broken(`node "${name}" has no op_type`);
  return { op, domain, name, inputs, outputs, attributes: Object.fromEntries(attributes) };
}

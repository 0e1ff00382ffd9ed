/** An ONNX model as plain data: the part of the format that training and inference graphs need. */
import type { DType } from "../base/tensor.ts";

/** An attribute of a node. Ints are whole numbers within ±2^53, floats are stored as float32. */
export type OnnxAttribute =
  | Readonly<{ type: "int"; value: number }>
  | Readonly<{ type: "float"; value: number }>
  | Readonly<{ type: "string"; value: string }>
  | Readonly<{ type: "ints"; value: readonly number[] }>
  | Readonly<{ type: "floats"; value: readonly number[] }>
  | Readonly<{ type: "tensor"; value: OnnxTensor }>;

/** One operation. An empty name among the inputs is an absent input; `domain` is "" for ONNX's own ops. */
export type OnnxNode = Readonly<{
  op: string;
  domain: string;
  name: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, OnnxAttribute>>;
}>;

/** A stored tensor: its little-endian bytes in `data`, or their location in another file in `external`. */
export type OnnxTensor = Readonly<{
  name: string;
  dtype: DType;
  dims: readonly number[];
  data?: Uint8Array;
  external?: OnnxExternal;
}>;

/** Location of a tensor's bytes: a path relative to the model file, and offset and length in bytes. */
export type OnnxExternal = Readonly<{ location: string; offset: number; length: number }>;

/**
 * An input or output of a graph. A string is a symbolic dim, and "" an unknown one; without dims, even the rank is
 * unknown.
 */
export type OnnxValueInfo = Readonly<{ name: string; dtype: DType; dims?: readonly (number | string)[] | undefined }>;

/** A graph, with its nodes in topological order. */
export type OnnxGraph = Readonly<{
  name: string;
  nodes: readonly OnnxNode[];
  inputs: readonly OnnxValueInfo[];
  outputs: readonly OnnxValueInfo[];
  initializers: readonly OnnxTensor[];
}>;

/** A model file. `irVersion`: version of the file format; `opsets`: version of each domain's ops. */
export type OnnxModel = Readonly<{
  irVersion: number;
  opsets: readonly Readonly<{ domain: string; version: number }>[];
  producer: string;
  graph: OnnxGraph;
  metadata?: Readonly<Record<string, string>>;
}>;

/** ONNX's numbers of element types (TensorProto.DataType). */
export const elementTypes: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};

/** ONNX's numbers of attribute types (AttributeProto.AttributeType). */
export const attributeTypes: Readonly<Record<OnnxAttribute["type"], number>> = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  floats: 6,
  ints: 7,
};

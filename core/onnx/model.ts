/**
 * An ONNX model as plain data: the part of the format that training graphs need.
 * @module
 */
import type { DType } from "../tensor.ts";
import type { Named } from "../types.ts";

/** An attribute of a node. */
export type OnnxAttribute =
  | Readonly<{ type: "int" | "float"; value: number }>
  | Readonly<{ type: "string"; value: string }>
  | Readonly<{ type: "ints"; value: readonly number[] }>
  | Readonly<{ type: "floats"; value: readonly number[] }>
  | Readonly<{ type: "tensor"; value: OnnxTensor }>;

/** One operation. */
export type OnnxNode = Readonly<{
  op: string;
  domain: string;
  name: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Named<OnnxAttribute>;
}>;

/** A stored tensor: its bytes, or where in another file they lie. */
export type OnnxTensor = Readonly<{
  name: string;
  dtype: DType;
  dims: readonly number[];
  data?: Uint8Array;
  external?: Readonly<{ location: string; offset: number; length: number }>;
}>;

/** An input or output of a graph; a string is a symbolic dim. */
export type OnnxValueInfo = Readonly<{ name: string; dtype: DType; dims: readonly (number | string)[] }>;

/** A graph. */
export type OnnxGraph = Readonly<{
  name: string;
  nodes: readonly OnnxNode[];
  inputs: readonly OnnxValueInfo[];
  outputs: readonly OnnxValueInfo[];
  initializers: readonly OnnxTensor[];
}>;

/** A model file. */
export type OnnxModel = Readonly<{
  irVersion: number;
  opsets: readonly Readonly<{ domain: string; version: number }>[];
  producer: string;
  graph: OnnxGraph;
  metadata?: Named<string>;
}>;

/** ONNX's numbers of element types. */
export const elementTypes: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  bfloat16: 16,
};

/** ONNX's numbers of attribute types. */
export const attributeTypes: Readonly<Record<OnnxAttribute["type"], number>> = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  floats: 6,
  ints: 7,
};

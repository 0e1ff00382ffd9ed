/** The context of lowering a graph: the names of its values, and the tensors and feeds that its nodes need. */
import type { Shape } from "../../graph/ops/dims.ts";
import type { Graph, Node, Value } from "../../graph/graph.ts";
import type { OnnxNode, OnnxTensor } from "../../onnx/model.ts";
import type { Named, Provider } from "../../types.ts";
import {
  bytesOf,
  floatInitializer,
  quantizedInitializers,
  type Storage,
  storedName,
  type StoredTensor,
} from "./storage.ts";

/** The context of lowering a graph. */
export type Lowering = Readonly<{
  graph: Graph;
  storage: (name: string, value: Value) => Storage;
  /** Absent if no weight is encoded and no product uses encoded operands. */
  lowerCodes: CodeLowering | undefined;
  provider: Provider;
  /** Ids of values that the backward pass recomputes. */
  recomputed: ReadonlySet<number>;
  /** The number of node inputs that read a value, by id. */
  readers: ReadonlyMap<number, number>;
  /** Names of values, by id. */
  names: Map<number, string>;
  /** The values that nodes compute, by name. */
  values: Map<string, Pick<Value, "dtype" | "shape">>;
  /** The graph inputs and parameters that the host feeds, and how many rows of tables. */
  feeds: Map<string, Value>;
  rows: Map<string, number>;
  /** The vectors of sizes that the host feeds. */
  shapes: Map<string, Shape>;
  initializers: Map<string, OnnxTensor>;
  /** Ids of weights stored as integers, of those that have been decoded, and of 16-bit weights. */
  quantized: Set<number>;
  decoded: Set<number>;
  halves: Set<number>;
  /** The encoded weights, by id, and those of their tensors that are fed, by name. */
  encoded: Map<number, Extract<Storage, { as: "encoded" }>>;
  codes: Map<string, Pick<StoredTensor, "dtype" | "dims">>;
  /** Nodes that decode weights, by their result's name: being first in the file, they run right before the reader. */
  casts: Map<string, readonly OnnxNode[]>;
  /** Names of results that several products share. */
  alike: Map<string, Named<string>>;
  /** Recomputed nodes of the forward pass. */
  again: Map<Node, readonly OnnxNode[]>;
}>;

/** Lowers encoded weights, and products with encoded operands. */
export type CodeLowering = Readonly<{
  /** Adds the tensors of a weight to the model, or to the feeds. */
  add(lowering: Lowering, name: string, value: Value, storage: Extract<Storage, { as: "encoded" }>): void;
  /** Lowers a product with an encoded operand; undefined for any other node. */
  product(
    lowering: Lowering,
    node: Node,
    nameInput: (value: Value) => string,
    output: string,
  ): readonly OnnxNode[] | undefined;
  /** Returns the name of a weight, decoded for its reader. */
  decodedFor(lowering: Lowering, value: Value, reader: string): string;
}>;

/** Creates the context of lowering these nodes of a graph, with its outputs named. */
export function createLowering(
  of: Pick<Lowering, "graph" | "storage" | "lowerCodes" | "provider" | "recomputed">,
  nodes: readonly Node[],
): Lowering {
  const readers = new Map<number, number>();
  for (const node of nodes) {
    for (const input of node.inputs) if (input) readers.set(input.id, (readers.get(input.id) ?? 0) + 1);
  }
  const names = new Map<number, string>();
  for (const [name, value] of of.graph.outputs) {
    if (of.graph.producer(value) && !names.has(value.id)) names.set(value.id, name);
  }
  return {
    ...of,
    readers,
    names,
    values: new Map(),
    feeds: new Map(),
    rows: new Map(),
    shapes: new Map(),
    initializers: new Map(),
    quantized: new Set(),
    decoded: new Set(),
    halves: new Set(),
    encoded: new Map(),
    codes: new Map(),
    casts: new Map(),
    alike: new Map(),
    again: new Map(),
  };
}

/** Returns a value's name; one that no node computes becomes a tensor of the model or a feed on its first use. */
export function nameOf(lowering: Lowering, value: Value): string {
  const known = lowering.names.get(value.id);
  if (known) return known;
  const origin = lowering.graph.origin(value);
  let name = `v${value.id}`;
  if (origin?.kind === "constant") {
    name = `c${value.id}`;
    const { dtype, dims, data } = origin.tensor;
    lowering.initializers.set(name, { name, dtype, dims, data: bytesOf(data) });
  } else if (origin) {
    name = origin.name;
    addStored(lowering, name, value, origin.kind === "input" ? { as: "feed" } : lowering.storage(name, value));
  }
  lowering.names.set(value.id, name);
  return name;
}

function addStored(lowering: Lowering, name: string, value: Value, storage: Storage): void {
  const { feeds, rows, initializers, quantized, halves } = lowering;
  if (storage.as === "feed") {
    feeds.set(name, value);
    if (storage.rows !== undefined) rows.set(name, storage.rows);
  } else if (storage.as === "encoded") {
    (lowering.lowerCodes as CodeLowering).add(lowering, name, value, storage);
  } else if (storage.as === "int8") {
    quantized.add(value.id);
    const [integers, scale] = quantizedInitializers(name, value.shape, storage);
    if (integers) initializers.set(name, integers);
    if (scale) initializers.set(scale.name, scale);
  } else {
    const half = storage.as === "external" ? storage.dtype : undefined;
    if (half) halves.add(value.id);
    initializers.set(name, floatInitializer(half ? storedName(name) : name, half ?? value.dtype, value.shape, storage));
  }
}

/** The suffix of the names of recomputed values. */
export const AGAIN = ".again";

/** Returns the name of a constant int64 vector, which is added if needed. */
export function int64s({ initializers }: Lowering, data: readonly number[]): string {
  const name = `i64[${data}]`;
  if (!initializers.has(name)) {
    const bytes = bytesOf(BigInt64Array.from(data, BigInt));
    initializers.set(name, { name, dtype: "int64", dims: [data.length], data: bytes });
  }
  return name;
}

/** Returns the name of a constant float32 scalar, which is added if needed. */
export function float32({ initializers }: Lowering, value: number): string {
  const name = `f32[${value}]`;
  initializers.set(name, { name, dtype: "float32", dims: [], data: bytesOf(Float32Array.of(value)) });
  return name;
}

/**
 * Returns the name of a vector of sizes. A shape with one unknown dim is a constant with -1 if the op allows this
 * (`inferred`); with more unknown dims, the host feeds it.
 */
export function shapeInput(lowering: Lowering, shape: Shape, inferred: boolean): string {
  const symbolic = shape.filter((dim) => typeof dim === "string").length;
  if (symbolic === 0 || (inferred && symbolic === 1)) {
    return int64s(lowering, shape.map((dim) => (typeof dim === "string" ? -1 : dim)));
  }
  const name = `shape[${shape}]`;
  lowering.shapes.set(name, shape);
  return name;
}

/** Creates a node with one output and no attributes, named like its output. */
export function simpleNode(op: string, inputs: readonly string[], output: string): OnnxNode {
  return { op, domain: "", name: output, inputs, outputs: [output], attributes: {} };
}

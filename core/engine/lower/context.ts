/** A graph while it is lowered: the names of its values, and the tensors and feeds that its nodes have asked for. */
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

/** A graph while it is lowered. */
export type Lowering = Readonly<{
  graph: Graph;
  storage: (name: string, value: Value) => Storage;
  /** Absent if no weight is stored as codes, and no product computed with some. */
  lowerCodes: CodeLowering | undefined;
  provider: Provider;
  /** Values that the backward pass makes a second time. */
  recomputed: ReadonlySet<number>;
  /** How many inputs of nodes read a value, by id. */
  readers: ReadonlyMap<number, number>;
  /** Names by a value's id. */
  names: Map<number, string>;
  /** What nodes make, by name. */
  values: Map<string, Pick<Value, "dtype" | "shape">>;
  /** Graph inputs and parameters that the host feeds, and of tables how many rows. */
  feeds: Map<string, Value>;
  rows: Map<string, number>;
  /** Vectors of sizes that the host feeds. */
  shapes: Map<string, Shape>;
  initializers: Map<string, OnnxTensor>;
  /** Ids of weights that are stored as integers, those of them that are decoded, and those stored with 16 bits. */
  quantized: Set<number>;
  decoded: Set<number>;
  halves: Set<number>;
  /** Weights that are stored as codes, by id, and the tensors of theirs that are fed, by name. */
  encoded: Map<number, Extract<Storage, { as: "encoded" }>>;
  codes: Map<string, Pick<StoredTensor, "dtype" | "dims">>;
  /** What decodes weights, by the name that it makes: it stands first in the file, and runs right before its reader. */
  casts: Map<string, readonly OnnxNode[]>;
  /** Names of what several products read alike. */
  alike: Map<string, Named<string>>;
  /** Nodes of the forward pass made a second time. */
  again: Map<Node, readonly OnnxNode[]>;
}>;

/** Lowers weights that are stored as codes, and products that are computed with some. */
export type CodeLowering = Readonly<{
  /** Makes the tensors of a weight ones of the model, or feeds. */
  add(lowering: Lowering, name: string, value: Value, storage: Extract<Storage, { as: "encoded" }>): void;
  /** A product over codes; undefined for any other node. */
  product(
    lowering: Lowering,
    node: Node,
    nameInput: (value: Value) => string,
    output: string,
  ): readonly OnnxNode[] | undefined;
  /** What a weight is called for its reader, which reads it decoded. */
  decodedFor(lowering: Lowering, value: Value, reader: string): string;
}>;

/** The lowering of a graph of which these nodes are needed; its outputs have their names. */
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

/** What a value is called; what no node makes becomes a tensor of the model or a feed when it is first asked for. */
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

/** What stands behind the name of a value that the backward pass makes a second time. */
export const AGAIN = ".again";

/** The name of a constant int64 vector, which is added if needed. */
export function int64s({ initializers }: Lowering, data: readonly number[]): string {
  const name = `i64[${data}]`;
  if (!initializers.has(name)) {
    const bytes = bytesOf(BigInt64Array.from(data, BigInt));
    initializers.set(name, { name, dtype: "int64", dims: [data.length], data: bytes });
  }
  return name;
}

/** The name of a constant number. */
export function float32({ initializers }: Lowering, value: number): string {
  const name = `f32[${value}]`;
  initializers.set(name, { name, dtype: "float32", dims: [], data: bytesOf(Float32Array.of(value)) });
  return name;
}

/**
 * The name of a vector of sizes. A shape with one unknown dim is a constant with -1 if that is allowed; with more,
 * the host feeds it.
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

/** A node with one output and without attributes, called as its output is. */
export function simpleNode(op: string, inputs: readonly string[], output: string): OnnxNode {
  return { op, domain: "", name: output, inputs, outputs: [output], attributes: {} };
}

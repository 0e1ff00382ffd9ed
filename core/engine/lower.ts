/**
 * A graph to an ONNX model for one execution provider: picks op forms, orders nodes, says what the host must feed.
 * @module
 */
import { badValue } from "../errors.ts";
import { type Dim, type DimValues, evaluateShape, type Shape } from "../graph/dims.ts";
import { forwardNodes, type Graph, type Node, reachable, type Value } from "../graph/graph.ts";
import { microsoftOps } from "../graph/ops.ts";
import { elementTypes, type OnnxAttribute, type OnnxModel, type OnnxNode, type OnnxTensor } from "../onnx/model.ts";
import { bytesPerElement, type DType, type Tensor } from "../tensor.ts";
import { productsInPlace } from "./products_in_place.ts";
import type { Provider } from "../types.ts";

/** How a parameter reaches the session. */
export type Storage =
  /** `rows`: only so many rows of it, renumbered. */
  | Readonly<{ as: "feed"; rows?: number | undefined }>
  | Readonly<{ as: "inline"; tensor: Tensor }>
  /** `dtype`: floats of 16 bits, which become float32 where they are read, for each that reads them. */
  | Readonly<{ as: "external"; location: string; offset: number; length: number; dtype?: "float16" | "bfloat16" }>
  /** Integers with a scale per row, which are decoded where they are read: what is looked up, row by row. */
  | Readonly<{ as: "int8"; location: string; scale: Tensor }>;

/**
 * A lowered graph. `feeds`: graph inputs and trained parameters; `shapes`: vectors of sizes, made from a run's dims;
 * `values`: what nodes make, by name.
 */
export type Lowered = Readonly<{
  model: OnnxModel;
  values: ReadonlyMap<string, Pick<Value, "dtype" | "shape">>;
  feeds: ReadonlyMap<string, Value>;
  shapes: ReadonlyMap<string, Shape>;
  outputs: ReadonlyMap<string, Value>;
}>;

/** Opset 21 and IR 10: the newest that every onnxruntime of the last years reads. */
const OPSET = 21;
const IR_VERSION = 10;

/** Weights of 16 bits that more nodes than this read become float32 once for all of them. */
const MANY_READERS = 4;

/**
 * Lowers what the outputs of a graph need. `storage` says how each parameter is stored; values of `selectRecomputed` are made
 * a second time for the backward pass (see `recompute.ts`).
 */
export function lower(
  graph: Graph,
  storage: (name: string, value: Value) => Storage,
  provider: Provider = "cpu",
  recomputed: ReadonlySet<number> = new Set(),
): Lowered {
  const outputs = graph.outputs;
  const nodes = executionOrder(reachable([...outputs.values()]), outputs);
  const feeds = new Map<string, Value>();
  const shapes = new Map<string, Shape>();
  const initializers = new Map<string, OnnxTensor>();
  const names = new Map<number, string>();
  const rows = new Map<string, number>();
  const quantized = new Set<number>();
  const halves = new Set<number>();

  const int64s = (data: readonly number[]): string => {
    const name = `i64[${data}]`;
    if (!initializers.has(name)) {
      initializers.set(name, {
        name,
        dtype: "int64",
        dims: [data.length],
        data: bytesOf(BigInt64Array.from(data, BigInt)),
      });
    }
    return name;
  };
  const float32 = (value: number): string => {
    const name = `f32[${value}]`;
    initializers.set(name, { name, dtype: "float32", dims: [], data: bytesOf(Float32Array.of(value)) });
    return name;
  };
  // A shape with one unknown dim is a constant with -1 where that is allowed; with more, the host feeds it.
  const shapeInput = (shape: Shape, inferred: boolean): string => {
    const symbolic = shape.filter((dim) => typeof dim === "string").length;
    if (symbolic === 0 || (inferred && symbolic === 1)) {
      return int64s(shape.map((dim) => (typeof dim === "string" ? -1 : dim)));
    }
    const name = `shape[${shape}]`;
    shapes.set(name, shape);
    return name;
  };
  const nameOf = (value: Value): string => {
    const known = names.get(value.id);
    if (known) return known;
    const origin = graph.origin(value);
    let name = `v${value.id}`;
    if (origin?.kind === "constant") {
      name = `c${value.id}`;
      initializers.set(name, {
        name,
        dtype: origin.tensor.dtype,
        dims: origin.tensor.dims,
        data: bytesOf(origin.tensor.data),
      });
    } else if (origin) {
      name = origin.name;
      const stored: Storage = origin.kind === "input" ? { as: "feed" } : storage(name, value);
      if (stored.as === "feed") {
        feeds.set(name, value);
        if (stored.rows !== undefined) rows.set(name, stored.rows);
      } else if (stored.as === "int8") {
        quantized.add(value.id);
        const integers = { name: `${name}.int8`, dtype: "int8" as const, dims: fixed(name, value.shape) };
        const length = integers.dims.reduce((a, b) => a * b, 1);
        initializers.set(name, { ...integers, external: { location: stored.location, offset: 0, length } });
        const { dtype, dims, data } = stored.scale;
        initializers.set(`${name}.scale`, { name: `${name}.scale`, dtype, dims, data: bytesOf(data) });
      } else {
        const half = stored.as === "external" ? stored.dtype : undefined;
        if (half) halves.add(value.id);
        initializers.set(name, initializer(half ? storedName(name) : name, half ?? value.dtype, value.shape, stored));
      }
    }
    names.set(value.id, name);
    return name;
  };
  for (const [name, value] of outputs) {
    if (graph.producer(value) && !names.has(value.id)) names.set(value.id, name);
  }

  const plain = (op: string, inputs: readonly string[], output: string): OnnxNode => ({
    op,
    domain: "",
    name: output,
    inputs,
    outputs: [output],
    attributes: {},
  });
  // Matrices are decoded right before the first that reads them, and live until the last one has.
  const decoded = new Set<number>();
  const decode = (node: Node): OnnxNode[] =>
    node.inputs.flatMap((value) => {
      const name = value && nameOf(value);
      if (!name || !quantized.has(value.id) || decoded.has(value.id)) return [];
      decoded.add(value.id);
      const attributes = { axis: { type: "int" as const, value: 0 } };
      return [{ ...plain("DequantizeLinear", [`${name}.int8`, `${name}.scale`], name), attributes }];
    });
  const cast = (from: string, output: string): OnnxNode => ({
    ...plain("Cast", [from], output),
    attributes: { to: { type: "int", value: elementTypes.float32 } },
  });
  // A weight of 16 bits becomes float32 for each node that reads it, right before: such nodes stand first in the file.
  // One that many nodes read (a head in blocks) becomes so once.
  const casts = new Map<string, OnnxNode>();
  const readers = new Map<number, number>();
  for (const node of nodes) {
    for (const input of node.inputs) if (input) readers.set(input.id, (readers.get(input.id) ?? 0) + 1);
  }
  const inFull = (value: Value, reader: string): string => {
    const name = nameOf(value);
    if (!halves.has(value.id)) return name;
    const full = (readers.get(value.id) ?? 0) > MANY_READERS ? `${name}.float` : `${name}.float ${reader}`;
    casts.set(full, cast(storedName(name), full));
    return full;
  };
  // Of a table, only the rows that are looked up.
  const lookUp = (node: Node): OnnxNode[] | undefined => {
    const [table, indices] = node.inputs;
    const [output] = node.outputs;
    if (node.op !== "Gather" || attrs(node, "Gather").axis !== 0 || !table || !indices || !output) return undefined;
    const [name, at, out] = [nameOf(table), nameOf(indices), names.get(output.id) ?? nameOf(output)];
    if (halves.has(table.id)) {
      return [plain("Gather", [storedName(name), at], `${out}.stored`), cast(`${out}.stored`, out)];
    }
    if (!quantized.has(table.id)) return undefined;
    return [
      plain("Gather", [`${name}.int8`, at], `${out}.int8`),
      plain("Gather", [`${name}.scale`, at], `${out}.scale`),
      plain("DequantizeLinear", [`${out}.int8`, float32(1)], `${out}.float`),
      plain("Unsqueeze", [`${out}.scale`, int64s([-1])], `${out}.column`),
      plain("Mul", [`${out}.float`, `${out}.column`], out),
    ];
  };

  const values = new Map<string, Pick<Value, "dtype" | "shape">>();
  const emit = (node: Node, inputOf: (value: Value, reader: string) => string, outs: readonly string[]): OnnxNode[] => {
    node.outputs.forEach((value, i) => values.set(outs[i] ?? "", value));
    const inputs = node.inputs.map((v) => (v ? inputOf(v, outs[0] ?? "") : ""));
    // The WebAssembly build's Cast is one function of half a megabyte, which takes 300 MB and a second to be optimised.
    const from = provider === "wasm" && node.op === "Cast" && attrs(node, "Cast").to === "float32"
      ? node.inputs[0]?.dtype
      : undefined;
    const [input = "", output = ""] = [inputs[0], outs[0]];
    if (from === "bool") return [plain("Where", [input, float32(1), float32(0)], output)];
    if (from === "int32") return [plain("DequantizeLinear", [input, float32(1)], output)];
    const { extra, attributes } = formOf(node, int64s, shapeInput);
    // A block of no rows: ONNX Runtime leaves the sum over it as the memory was.
    const empty = emptyInner(node);
    const made = empty === undefined ? outs : [`${output}.product`];
    if (empty !== undefined) values.set(made[0] ?? "", node.outputs[0] as Value);
    return [
      ...decode(node),
      {
        op: node.op,
        domain: microsoftOps.has(node.op) ? "com.microsoft" : "",
        name: `${outs[0]} ${node.scope}`,
        inputs: [...inputs, ...extra],
        outputs: made,
        attributes,
      },
      ...(empty === undefined ? [] : [
        plain("Greater", [shapeInput([empty], false), int64s([0])], `${output}.any`),
        plain("Where", [`${output}.any`, made[0] ?? "", float32(0)], output),
      ]),
    ];
  };
  // What the backward pass makes anew stands first in the file, so that it is made right before it is read.
  const forward = recomputed.size > 0 ? forwardNodes(graph) : new Set<Node>();
  const anew = new Map<Node, OnnxNode[]>();
  const again = (value: Value, reader: string): string => {
    const producer = recomputed.has(value.id) ? graph.producer(value) : undefined;
    if (!producer) return inFull(value, reader);
    const outs = producer.outputs.map((v) => `${nameOf(v)}.again`);
    if (!anew.has(producer)) {
      anew.set(producer, []);
      anew.set(producer, emit(producer, again, outs));
    }
    return outs[producer.outputs.indexOf(value)] ?? "";
  };
  const onnxNodes: OnnxNode[] = nodes.flatMap((node) =>
    lookUp(node) ??
      emit(
        node,
        recomputed.size === 0 || forward.has(node) ? inFull : again,
        node.outputs.map((v) => names.get(v.id) ?? nameOf(v)),
      )
  );
  // An output that is an input, a constant or a second name of one value gets an Identity.
  for (const [name, value] of outputs) {
    const own = nameOf(value);
    if (own !== name) {
      onnxNodes.push({ op: "Identity", domain: "", name, inputs: [own], outputs: [name], attributes: {} });
    }
  }
  const all = [...casts.values(), ...[...anew.values()].flat(), ...onnxNodes];
  const model: OnnxModel = {
    irVersion: IR_VERSION,
    opsets: [{ domain: "", version: OPSET }, { domain: "com.microsoft", version: 1 }],
    producer: "attune",
    graph: {
      name: "attune",
      nodes: provider === "cpu" || provider === "wasm" ? productsInPlace(all, new Set(outputs.keys())) : all,
      inputs: [
        ...[...feeds].map(([name, v]) => ({
          name,
          dtype: v.dtype,
          dims: rows.has(name) ? [rows.get(name) ?? 0, ...v.shape.slice(1)] : v.shape,
        })),
        ...[...shapes].map(([name, shape]) => ({ name, dtype: "int64" as const, dims: [shape.length] })),
      ],
      outputs: [...outputs].map(([name, v]) => ({ name, dtype: v.dtype, dims: v.shape })),
      initializers: [...initializers.values()],
    },
  };
  return { model, values, feeds, shapes, outputs };
}

/** What a transposed product of more than two axes sums over, where that is within a block of rows, which may be empty. */
function emptyInner(node: Node): Dim | undefined {
  const { transA, transB } = node.op === "FusedMatMul" ? attrs(node, "FusedMatMul") : { transA: 0, transB: 0 };
  const shape = node.inputs[0]?.shape ?? [];
  const inner = shape.at(transA ? -2 : -1);
  const block = typeof inner === "string" && inner.includes("@");
  return block && shape.length > 2 && (transA || transB) ? inner : undefined;
}

/** The vectors of sizes that a run with these dims feeds. */
export function shapeFeeds(shapes: ReadonlyMap<string, Shape>, dims: DimValues): Map<string, BigInt64Array> {
  return new Map([...shapes].map(([name, shape]) => [name, BigInt64Array.from(evaluateShape(shape, dims), BigInt)]));
}

/**
 * ONNX Runtime walks back from the nodes nobody uses, the last in the file first. Such leaves (losses, weight
 * gradients) are therefore put at the end in reverse: each is computed, and what it needs freed, as early as possible.
 * The gradients come before the losses: what these read in passing is not kept for them.
 */
function executionOrder(nodes: readonly Node[], outputs: ReadonlyMap<string, Value>): Node[] {
  const used = new Set<number>();
  for (const node of nodes) for (const input of node.inputs) if (input) used.add(input.id);
  const losses = new Set([...outputs].filter(([name]) => name.startsWith("loss.")).map(([, value]) => value.id));
  const isLeaf = (node: Node): boolean => !node.outputs.some((v) => used.has(v.id));
  const isLoss = (node: Node): boolean => node.outputs.some((v) => losses.has(v.id));
  const leaves = nodes.filter(isLeaf).reverse();
  return [...nodes.filter((n) => !isLeaf(n)), ...leaves.filter(isLoss), ...leaves.filter((n) => !isLoss(n))];
}

type Form = Readonly<{ extra: readonly string[]; attributes: Readonly<Record<string, OnnxAttribute>> }>;

/** What ONNX wants as attributes and as further inputs. */
function formOf(
  node: Node,
  int64s: (data: readonly number[]) => string,
  shapeInput: (shape: Shape, inferred: boolean) => string,
): Form {
  const int = (value: number): OnnxAttribute => ({ type: "int", value });
  const float = (value: number): OnnxAttribute => ({ type: "float", value });
  const only = (attributes: Readonly<Record<string, OnnxAttribute>>): Form => ({ extra: [], attributes });
  switch (node.op) {
    case "Cast":
      return only({ to: int(elementTypes[attrs(node, "Cast").to]) });
    case "HardSigmoid": {
      const { alpha, beta } = attrs(node, "HardSigmoid");
      return only({ alpha: float(alpha), beta: float(beta) });
    }
    case "Gelu":
      return only({ approximate: { type: "string", value: attrs(node, "Gelu").approximate } });
    case "QuickGelu":
      return only({ alpha: float(attrs(node, "QuickGelu").alpha) });
    case "FusedMatMul":
    case "Gemm": {
      const { alpha, transA, transB } = attrs(node, "Gemm");
      return only({ alpha: float(alpha), transA: int(transA), transB: int(transB) });
    }
    case "Transpose":
      return only({ perm: { type: "ints", value: attrs(node, "Transpose").perm } });
    case "Reshape":
      return { extra: [shapeInput(attrs(node, "Reshape").shape, true)], attributes: {} };
    case "Expand":
      return { extra: [shapeInput(attrs(node, "Expand").shape, false)], attributes: {} };
    case "Slice": {
      const { axis, start, end } = attrs(node, "Slice");
      const place = (dim: Dim): string => (typeof dim === "number" ? int64s([dim]) : shapeInput([dim], false));
      return { extra: [place(start), place(end ?? 2 ** 31 - 1), int64s([axis])], attributes: {} };
    }
    case "Concat":
    case "Gather":
    case "GatherElements":
    case "Softmax":
    case "LogSoftmax":
      return only({ axis: int(attrs(node, "Gather").axis) });
    case "ScatterND":
      return only({ reduction: { type: "string", value: "add" } });
    case "ScatterElements":
      return only({ axis: int(attrs(node, "ScatterElements").axis), reduction: { type: "string", value: "add" } });
    case "ReduceSum":
    case "ReduceMean":
    case "ReduceMax": {
      const { axes, keepdims } = attrs(node, "ReduceSum");
      return { extra: [int64s(axes)], attributes: { keepdims: int(keepdims) } };
    }
    case "ArgMax":
      return only({ axis: int(attrs(node, "ArgMax").axis), keepdims: int(0) });
    case "LayerNormalization":
    case "SimplifiedLayerNormalization":
      return only({ axis: int(-1), epsilon: float(attrs(node, "LayerNormalization").epsilon) });
    default:
      return only({});
  }
}

// The switch has compared the op: this only tells the compiler.
function attrs<O extends Node["op"]>(node: Node, _op: O): Node<O>["attrs"] {
  return node.attrs as Node<O>["attrs"];
}

function initializer(
  name: string,
  dtype: DType,
  shape: Shape,
  stored: Exclude<Storage, { as: "feed" | "int8" }>,
): OnnxTensor {
  const dims = fixed(name, shape);
  if (stored.as === "inline") return { name, dtype: stored.tensor.dtype, dims, data: bytesOf(stored.tensor.data) };
  const bytes = dims.reduce((a, b) => a * b, bytesPerElement[dtype]);
  if (stored.length !== bytes) throw badValue("engine", name, stored.length, `${bytes} bytes for dims [${dims}]`);
  const { location, offset, length } = stored;
  return { name, dtype, dims, external: { location, offset, length } };
}

/** What a tensor is called as it is stored, where that is not as it is read. */
function storedName(name: string): string {
  return `${name}.stored`;
}

function fixed(name: string, shape: Shape): number[] {
  return shape.map((dim) => {
    if (typeof dim !== "number") throw badValue("engine", name, shape, "a fixed shape");
    return dim;
  });
}

function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

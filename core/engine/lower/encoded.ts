/**
 * Weights that are stored as codes: products over them, and where they become float32. And products over weights that train,
 * from codes that are made of their values.
 */
import type { Node, Value } from "../../graph/graph.ts";
import { bytesPerElement } from "../../base/tensor.ts";
import { elementTypes, type OnnxNode } from "../../onnx/model.ts";
import type { MatrixDims, NodeWriter, ProductOperands, Tensor, TrainedProduct, WeightFormat } from "../../types.ts";
import { AGAIN, type CodeLowering, int64s, type Lowering, nameOf } from "./context.ts";
import { attributesOf } from "./form.ts";
import { bytesOf, encodedName, type Storage } from "./storage.ts";

/** Nodes that a writer has written: those that read nothing but the weight's tensors apart. */
type Written = Readonly<{ writer: NodeWriter; decoding: OnnxNode[]; nodes: OnnxNode[] }>;

/** Lowers codes. `products`: how those over parameters that train are computed, where not in float32. */
export function lowerCodes(products: ReadonlyMap<string, TrainedProduct> = new Map()): CodeLowering {
  return {
    add: addEncoded,
    product: (lowering, node, nameInput, output) => encodedProduct(lowering, products, node, nameInput, output),
    decodedFor,
  };
}

function addEncoded(
  { encoded, codes, initializers }: Lowering,
  name: string,
  value: Value,
  storage: Extract<Storage, { as: "encoded" }>,
): void {
  encoded.set(value.id, storage);
  for (const [part, { dtype, dims, data, location }] of Object.entries(storage.tensors)) {
    const initializer = encodedName(name, part);
    const length = dims.reduce((a, b) => a * b, bytesPerElement[dtype]);
    if (location !== undefined) {
      initializers.set(initializer, { name: initializer, dtype, dims, external: { location, offset: 0, length } });
    } else if (data) initializers.set(initializer, { name: initializer, dtype, dims, data: bytesOf(data) });
    else codes.set(initializer, { dtype, dims });
  }
}

/**
 * A product with a weight of codes: as its format computes it, or over what is decoded right before, whichever way the
 * weight is turned. Undefined for any other node.
 */
function encodedProduct(
  lowering: Lowering,
  products: ReadonlyMap<string, TrainedProduct>,
  node: Node,
  nameInput: (value: Value) => string,
  output: string,
): readonly OnnxNode[] | undefined {
  const [left, right, bias] = node.inputs;
  if (node.op !== "Gemm" || !left || !right) return undefined;
  const name = nameOf(lowering, right);
  const encoded = lowering.encoded.get(right.id);
  if (!encoded) return trainedProduct(lowering, products, node, nameInput, output);
  const { alpha, transA, transB } = attributesOf(node, "Gemm");
  const { format, weight: { dims, conv1d } } = encoded;
  // Codes are of [out, in]; what the model calls the weight may be turned.
  const turns = (transB === 1) !== conv1d;
  const lowered = writerFor(lowering, name, output);
  const { writer, decoding, nodes } = lowered;
  const x = nameInput(left);
  const c = bias && nameInput(bias);
  const plain = alpha === 1 && transA === 0;
  const product = plain ? productOf(format, writer, { isForward: turns, x, bias: c }, dims) : undefined;
  if (product !== undefined) {
    keepDecoding(lowering, output, decoding);
    return renameOutput(nodes, product, output);
  }
  const decoded = format.writeDecoded(writer, dims);
  keepDecoding(lowering, output, decoding);
  return [{
    op: "Gemm",
    domain: "",
    name: `${output} ${node.scope}`,
    inputs: [x, decoded, ...(c === undefined ? [] : [c])],
    outputs: [output],
    attributes: {
      alpha: { type: "float", value: alpha },
      transA: { type: "int", value: transA },
      transB: { type: "int", value: turns ? 1 : 0 },
    },
  }];
}

/** A product as a format computes it, x Wᵀ + bias or x W; undefined if it has none such. */
function productOf(
  format: Pick<WeightFormat, "writeProduct" | "writeTransposedProduct">,
  writer: NodeWriter,
  { isForward, x, bias }: ProductOperands & Readonly<{ isForward: boolean }>,
  dims: MatrixDims,
): string | undefined {
  if (isForward) return format.writeProduct?.(writer, { x, bias }, dims);
  return bias === undefined ? format.writeTransposedProduct?.(writer, x, dims) : undefined;
}

/** A product with a weight that trains, where its format has one. */
function trainedProduct(
  lowering: Lowering,
  products: ReadonlyMap<string, TrainedProduct>,
  node: Node,
  nameInput: (value: Value) => string,
  output: string,
): readonly OnnxNode[] | undefined {
  const [left, right, bias] = node.inputs;
  const { alpha, transA, transB } = attributesOf(node as Node<"Gemm">, "Gemm");
  const entry = right && products.get(nameOf(lowering, right));
  if (!left || !entry || alpha !== 1 || transA !== 0) return undefined;
  const { format, weight } = entry;
  const { dims, conv1d } = weight;
  const isForward = (transB === 1) !== conv1d;
  if (isForward ? !format.writeProduct : !format.writeTransposedProduct || bias) return undefined;
  const { writer, nodes } = writerFor(lowering, weight.name, output);
  const tensors = writer.once(`codes of ${weight.name}`, () => format.writeTensors(writer, nameInput(right), weight));
  const reading = { ...writer, tensor: (name: string) => tensors[name] ?? "" };
  const operands = { isForward, x: nameInput(left), bias: bias && nameInput(bias) };
  const product = productOf(format, reading, operands, dims);
  return product === undefined ? undefined : renameOutput(nodes, product, output);
}

/** What a weight of codes is called as its reader reads it: decoded for that one, as the model has it. */
function decodedFor(lowering: Lowering, value: Value, reader: string): string {
  const encoded = lowering.encoded.get(value.id);
  const name = nameOf(lowering, value);
  if (!encoded) return name;
  const { writer, decoding } = writerFor(lowering, name, reader);
  const decoded = encoded.format.writeDecoded(writer, encoded.weight.dims);
  const turned = encoded.weight.conv1d
    ? writer.add("Transpose", [decoded], { perm: { type: "ints", value: [1, 0] } })
    : decoded;
  keepDecoding(lowering, `${name} ${reader}`, decoding);
  return turned;
}

function keepDecoding({ casts }: Lowering, key: string, decoding: readonly OnnxNode[]): void {
  if (decoding.length > 0) casts.set(`decoded ${key}`, decoding);
}

/** The nodes with another name for one of their outputs; what no node made gets it by an Identity. */
function renameOutput(nodes: readonly OnnxNode[], from: string, to: string): readonly OnnxNode[] {
  if (!nodes.some(({ outputs }) => outputs.includes(from))) {
    return [...nodes, { op: "Identity", domain: "", name: to, inputs: [from], outputs: [to], attributes: {} }];
  }
  const rename = (name: string): string => (name === from ? to : name);
  return nodes.map((node) => ({ ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) }));
}

/** Writes for one weight and one reader. What reads nothing else than the weight stands apart, to be put first in the file. */
function writerFor(lowering: Lowering, name: string, reader: string): Written {
  const { initializers, casts } = lowering;
  const decoding: OnnxNode[] = [];
  const nodes: OnnxNode[] = [];
  const fixed = new Set<string>();
  let count = 0;
  const markFixed = (name: string): string => {
    fixed.add(name);
    return name;
  };
  const add: NodeWriter["add"] = (op, inputs, attributes = {}, domain) => {
    const isFixed = inputs.every((input) => input === "" || fixed.has(input));
    const output = `${name} for ${reader} ${count++}`;
    (isFixed ? decoding : nodes).push({
      op,
      domain: domain ?? "",
      name: output,
      inputs,
      outputs: [output],
      attributes,
    });
    return isFixed ? markFixed(output) : output;
  };
  const ints = (values: readonly number[]): string => markFixed(int64s(lowering, values));
  const writer: NodeWriter = {
    add,
    tensor: (part) => markFixed(encodedName(name, part)),
    constant: (key, { dtype, dims, data }: Tensor) => {
      const constantKey = `constant ${key}`;
      if (!initializers.has(constantKey)) {
        initializers.set(constantKey, { name: constantKey, dtype, dims, data: bytesOf(data) });
      }
      return markFixed(constantKey);
    },
    once: (key, make) => {
      // What is kept of the forward pass for the backward one is no more than without.
      const readerKey = `${key}${reader.endsWith(AGAIN) ? AGAIN : ""}`;
      const before = lowering.alike.get(readerKey);
      if (before) return before;
      const start = nodes.length;
      const names = make();
      lowering.alike.set(readerKey, names);
      casts.set(readerKey, nodes.splice(start));
      return names;
    },
    cast: (x, dtype) => add("Cast", [x], { to: { type: "int", value: elementTypes[dtype] } }),
    reshape: (x, dims) => add("Reshape", [x, ints(dims)]),
    expand: (x, dims) => add("Expand", [x, ints(dims)]),
    slice: (x, axis, start, end) => add("Slice", [x, ints([start]), ints([end]), ints([axis])]),
  };
  return { writer, decoding, nodes };
}

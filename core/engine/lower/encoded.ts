/**
 * Lowering of encoded weights: products with them, and their decoding to float32. Also products with trained weights,
 * which are encoded within each run.
 */
import type { Node, Value } from "../../graph/graph.ts";
import { bytesPerElement } from "../../base/tensor.ts";
import { elementTypes, type OnnxNode } from "../../onnx/model.ts";
import type { MatrixDims, NodeWriter, ProductOperands, Tensor, TrainedProduct, WeightFormat } from "../../types.ts";
import { AGAIN, type CodeLowering, int64s, type Lowering, nameOf } from "./context.ts";
import { attributesOf } from "./form.ts";
import { bytesOf, encodedName, type Storage } from "./storage.ts";

/** The nodes of a writer: those that only decode the weight are separate. */
type Written = Readonly<{ writer: NodeWriter; decoding: OnnxNode[]; nodes: OnnxNode[] }>;

/** Creates the lowering of encoded weights. `products`: the formats of products with trained parameters. */
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
 * Lowers a product with an encoded weight, transposed or not: as its format computes it, or decoded right before the
 * product. Returns undefined for any other node.
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
  // Codes are [out, in]; the model's weight may be its transpose.
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

/** Writes a format's own product, x Wᵀ + bias or x W; undefined if it has none. */
function productOf(
  format: Pick<WeightFormat, "writeProduct" | "writeTransposedProduct">,
  writer: NodeWriter,
  { isForward, x, bias }: ProductOperands & Readonly<{ isForward: boolean }>,
  dims: MatrixDims,
): string | undefined {
  if (isForward) return format.writeProduct?.(writer, { x, bias }, dims);
  return bias === undefined ? format.writeTransposedProduct?.(writer, x, dims) : undefined;
}

/** Lowers a product with a trained weight, if its format has one. */
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

/** Returns the name of an encoded weight, decoded for its reader in the model's orientation. */
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

/** Renames one output of nodes; if none of them computes it, an Identity provides the name. */
function renameOutput(nodes: readonly OnnxNode[], from: string, to: string): readonly OnnxNode[] {
  if (!nodes.some(({ outputs }) => outputs.includes(from))) {
    return [...nodes, { op: "Identity", domain: "", name: to, inputs: [from], outputs: [to], attributes: {} }];
  }
  const rename = (name: string): string => (name === from ? to : name);
  return nodes.map((node) => ({ ...node, inputs: node.inputs.map(rename), outputs: node.outputs.map(rename) }));
}

/** Creates a writer for one weight and reader. Nodes that only decode the weight are separate: they come first. */
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
      // Recomputed readers do not share results with the forward pass, which would otherwise have to be kept for them.
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

/**
 * Storage of frozen linear layers' weights in fewer bits (encoded), and products with such weights.
 *
 * Both accelerators that quantize and checkpoints that are quantized already provide weights in this form.
 */
import type { DType, Named, Tensor } from "../base/types.ts";

/** The dims of a linear layer's weight: outputs and inputs. */
export type MatrixDims = readonly [outputs: number, inputs: number];

/** The weight of a linear layer. `dims` and values are [out, in], even if the model stores the transpose (`conv1d`). */
export type LinearWeight = Readonly<{ name: string; module: string; dims: MatrixDims; conv1d: boolean }>;

/** An encoded weight: its tensors and their format. */
export type EncodedWeight = Readonly<{ format: WeightFormat; tensors: Named<Tensor> }>;

/** An accelerator's storage of a weight. */
export type WeightStorage = Readonly<{
  format: WeightFormat;
  /** Encodes a weight's values [out, in]. Throws AttuneError if a value cannot be represented. */
  encode(values: Float32Array, weight: LinearWeight): Named<Tensor>;
}>;

/**
 * A weight format: the meaning of a weight's tensors, and products with them. All weights with the same storage share
 * one format, which is identified by its label.
 */
export interface WeightFormat {
  /** Its name in plans and logs: "nf4, block 64, double". */
  readonly label: string;
  /** Scales and zero points, if values are evenly spaced in blocks along the inputs of each output. */
  readonly blocks?: StepBlocks;
  /**
   * Tensors that the runtime needs as constants, because it packs them; the others are inputs, shared by all sessions.
   */
  readonly constants?: readonly string[];
  /** Returns the bytes of a weight's tensors, without tables that all weights share. */
  bytes(dims: MatrixDims): number;
  /** Returns the peak bytes of intermediate results of decoding. */
  decodingBytes(dims: MatrixDims): number;
  /** Decodes the values [out, in]. */
  decode(tensors: Named<Tensor>, dims: MatrixDims): Float32Array;
  /** Writes the nodes that decode the values to float32 [out, in]; returns the result's name. */
  writeDecoded(writer: NodeWriter, dims: MatrixDims): string;
  /** Writes x Wᵀ + bias, [rows, out], if there is a better way than decoding and multiplying. */
  writeProduct?(writer: NodeWriter, operands: ProductOperands, dims: MatrixDims): string | undefined;
  /** Writes dy W, [rows, in], if there is a better way than decoding and multiplying. */
  writeTransposedProduct?(writer: NodeWriter, dy: string, dims: MatrixDims): string | undefined;
  /** The error of products compared to decoded values, relative to the largest; absent: only rounding. */
  readonly tolerance?: Readonly<{ product?: number; transposedProduct?: number }>;
  /**
   * Whether products take less time than in float32: then a run recomputes none of them, unless memory is short.
   */
  readonly savesTime?: boolean;
  /** The same format with other kernels, to be used if the kernels of this one fail. */
  readonly otherwise?: WeightFormat;
}

/** w[o, i] = scales[o, b] (codes[o, i] - zeros[o, b]), b = ⌊i / size⌋. */
export type StepBlocks = Readonly<{
  bits: 2 | 4 | 8;
  /** The number of inputs that share a scale and a zero point. */
  size: number;
  /** Whether inputs are in another order than the model's. */
  hasOrder: boolean;
  /** Reads codes, one per byte [out, in], and scales and zero points [out, blocks], as copies. */
  read(
    tensors: Named<Tensor>,
    dims: MatrixDims,
  ): Readonly<{ codes: Uint8Array; scales: Float32Array; zeros: Float32Array }>;
}>;

/**
 * The format of products with a trained weight: they are computed from tensors that each pass makes from the current
 * values. Products that it does not write, such as the weight's gradient, use the values themselves. All weights that
 * are multiplied in the same way share one format, which is identified by its label.
 */
export interface ProductFormat
  extends Pick<WeightFormat, "label" | "writeProduct" | "writeTransposedProduct" | "tolerance" | "savesTime"> {
  /** Writes the nodes that compute the tensors; returns names. `values`: as in the model, [in, out] if `conv1d`. */
  writeTensors(writer: NodeWriter, values: string, weight: Pick<LinearWeight, "conv1d">): Named<string>;
  /** Returns the bytes of those tensors of a weight that the backward pass reads. */
  bytes(dims: MatrixDims): number;
  /** The same format with other kernels, to be used if the kernels of this one fail. */
  readonly otherwise?: ProductFormat;
}

/** The products with trained weights, by the names of the model's parameters. */
export interface TrainedProducts {
  /** Returns how products with a weight are computed; undefined: in float32. */
  of(name: string): TrainedProduct | undefined;
}

/** How products with a trained weight are computed. */
export type TrainedProduct = Readonly<{ weight: LinearWeight; format: ProductFormat }>;

/** The names of a product's operands: x [rows, in], bias [out]. */
export type ProductOperands = Readonly<{ x: string; bias: string | undefined }>;

/** An ONNX attribute of a node, with its type. */
export type NodeAttribute =
  | Readonly<{ type: "int" | "float"; value: number }>
  | Readonly<{ type: "string"; value: string }>
  | Readonly<{ type: "ints"; value: readonly number[] }>;

/** A writer of ONNX nodes for one weight and one reader of it. */
export interface NodeWriter {
  /** Returns the name of one of the weight's tensors. */
  tensor(name: string): string;
  /** Returns the name of a constant tensor; the same `key` returns the same tensor. */
  constant(key: string, tensor: Tensor): string;
  /** Adds a node and returns the name of its output. */
  add(op: string, inputs: readonly string[], attributes?: Named<NodeAttribute>, domain?: "com.microsoft"): string;
  /**
   * Shares nodes among the products of one pass: `make`, called once per `key`, writes them and returns the names of
   * their results.
   */
  once(key: string, make: () => Named<string>): Named<string>;
  cast(x: string, to: DType): string;
  reshape(x: string, dims: readonly number[]): string;
  expand(x: string, dims: readonly number[]): string;
  /** Elements from `start` (inclusive) to `end` (exclusive) of an axis. */
  slice(x: string, axis: number, start: number, end: number): string;
}

/** The storage of a frozen weight. `sample`: creates a small weight in the same format, to check its kernels. */
export type FrozenStorage = Readonly<{
  weight: LinearWeight;
  format: WeightFormat;
  sample?: () => Readonly<{ weight: LinearWeight } & EncodedWeight> | undefined;
}>;

/** Frozen weights of a run, encoded once for all sessions, by the names of the model's parameters. */
export interface FrozenWeights {
  /** Returns the storage of a frozen weight; undefined: as in the checkpoint. */
  storageOf(name: string): FrozenStorage | undefined;
  /** Encodes a weight; `read`: returns its values as in the model. */
  encode(name: string, read: () => Promise<Tensor<Float32Array>>): Promise<EncodedWeight>;
}

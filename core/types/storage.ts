/**
 * How frozen weights of linear layers are stored in fewer bits, and what is computed with them so.
 *
 * Whoever has codes gives them in this form: an accelerator that quantizes, and a checkpoint that is quantized already.
 */
import type { DType, Named, Tensor } from "../base/types.ts";

/** Rows and columns of a linear layer's weight: its outputs, its inputs. */
export type MatrixDims = readonly [outputs: number, inputs: number];

/** The weight of a linear layer. `dims` and values are [out, in], also where the model stores it turned (`conv1d`). */
export type LinearWeight = Readonly<{ name: string; module: string; dims: MatrixDims; conv1d: boolean }>;

/** A weight in encoded form: small tensors, and their format. */
export type EncodedWeight = Readonly<{ format: WeightFormat; tensors: Named<Tensor> }>;

/** What an accelerator makes of a weight. */
export type WeightStorage = Readonly<{
  format: WeightFormat;
  /** The tensors of a weight's values [out, in]. Throws AttuneError if it cannot hold one of them. */
  encode(values: Float32Array, weight: LinearWeight): Named<Tensor>;
}>;

/**
 * What the tensors of a weight mean, and how products over them are computed. All weights that are stored alike share
 * one: it is known by its label.
 */
export interface WeightFormat {
  /** As plans and logs name it: "nf4, block 64, double". */
  readonly label: string;
  /** Where values are equal steps in blocks along the inputs of each output: what tells those apart. */
  readonly blocks?: StepBlocks;
  /**
   * Tensors that the runtime wants as constants, because it packs them; the others are inputs that all sessions share.
   */
  readonly constants?: readonly string[];
  /** Bytes of a weight's tensors, without tables that all weights share. */
  bytes(dims: MatrixDims): number;
  /** Bytes of what decoding makes on its way to float32, at most at once, beside the result. */
  decodingBytes(dims: MatrixDims): number;
  /** The values [out, in]. */
  decode(tensors: Named<Tensor>, dims: MatrixDims): Float32Array;
  /** Writes the nodes that give the values as float32 [out, in]. */
  writeDecoded(writer: NodeWriter, dims: MatrixDims): string;
  /** Writes x Wᵀ + bias, [rows, out], where there is a better way than to decode and multiply. */
  writeProduct?(writer: NodeWriter, operands: ProductOperands, dims: MatrixDims): string | undefined;
  /** Writes dy W, [rows, in], where there is a better way. */
  writeTransposedProduct?(writer: NodeWriter, dy: string, dims: MatrixDims): string | undefined;
  /** How far products may be from those of the decoded values, of the largest; absent: rounding alone. */
  readonly tolerance?: Readonly<{ product?: number; transposedProduct?: number }>;
  /**
   * Whether products take less time than in float32: a run of such has none of them computed again but for want of
   * memory.
   */
  readonly savesTime?: boolean;
  /** The same of the same tensors by other kernels, for where these are wrong. */
  readonly otherwise?: WeightFormat;
}

/** w[o, i] = scales[o, b] (codes[o, i] - zeros[o, b]), b = ⌊i / size⌋. */
export type StepBlocks = Readonly<{
  bits: 2 | 4 | 8;
  /** Inputs that share a scale and a zero point. */
  size: number;
  /** Whether inputs stand in another order than the model's. */
  hasOrder: boolean;
  /** Codes one a byte [out, in], scales and zero points [out, blocks], in memory of their own. */
  read(
    tensors: Named<Tensor>,
    dims: MatrixDims,
  ): Readonly<{ codes: Uint8Array; scales: Float32Array; zeros: Float32Array }>;
}>;

/**
 * How products over the weight of a linear layer that trains are computed: from tensors that each pass makes of its
 * values, which updates change. Where it does not write a product, that is one of the values themselves, as the
 * weight's gradient is. All that are computed alike share one: it is known by its label.
 */
export interface ProductFormat
  extends Pick<WeightFormat, "label" | "writeProduct" | "writeTransposedProduct" | "tolerance" | "savesTime"> {
  /** Writes the nodes that make the tensors, by name. `values`: as the model has them, [in, out] where `conv1d`. */
  writeTensors(writer: NodeWriter, values: string, weight: Pick<LinearWeight, "conv1d">): Named<string>;
  /** Bytes of those of a weight's tensors that the backward pass reads. */
  bytes(dims: MatrixDims): number;
  /** The same of the same tensors by other kernels, for where these are wrong. */
  readonly otherwise?: ProductFormat;
}

/** Products over weights that train: names are those of the model's parameters. */
export interface TrainedProducts {
  /** How those over a weight are computed; undefined: in float32. */
  of(name: string): TrainedProduct | undefined;
}

/** How products over a weight are computed. */
export type TrainedProduct = Readonly<{ weight: LinearWeight; format: ProductFormat }>;

/** The names of a product's operands: x [rows, in], bias [out]. */
export type ProductOperands = Readonly<{ x: string; bias: string | undefined }>;

/** An attribute of a node, as ONNX tells its kind. */
export type NodeAttribute =
  | Readonly<{ type: "int" | "float"; value: number }>
  | Readonly<{ type: "string"; value: string }>
  | Readonly<{ type: "ints"; value: readonly number[] }>;

/** Writes nodes of ONNX for one weight and one reader of it. */
export interface NodeWriter {
  /** The name of one of the weight's tensors. */
  tensor(name: string): string;
  /** The name of a fixed tensor; the same `key`, the same tensor. */
  constant(key: string, tensor: Tensor): string;
  /** Adds a node and gives the name of its output. */
  add(op: string, inputs: readonly string[], attributes?: Named<NodeAttribute>, domain?: "com.microsoft"): string;
  /**
   * What several products of one pass read alike is made once: `make` writes it and gives its names; `key` tells it
   * apart.
   */
  once(key: string, make: () => Named<string>): Named<string>;
  cast(x: string, to: DType): string;
  reshape(x: string, dims: readonly number[]): string;
  expand(x: string, dims: readonly number[]): string;
  /** Elements from `start` to before `end` of an axis. */
  slice(x: string, axis: number, start: number, end: number): string;
}

/** How a weight is stored. `sample`: a small weight in the same codes, to test what is computed with them. */
export type FrozenStorage = Readonly<{
  weight: LinearWeight;
  format: WeightFormat;
  sample?: () => Readonly<{ weight: LinearWeight } & EncodedWeight> | undefined;
}>;

/** Weights of a run that are encoded once, for all sessions. Names are those of the model's parameters. */
export interface FrozenWeights {
  /** How a weight is stored where it does not train; undefined: as the checkpoint has it. */
  storageOf(name: string): FrozenStorage | undefined;
  /** Its tensors; `read`: its values as the model has them. */
  encode(name: string, read: () => Promise<Tensor<Float32Array>>): Promise<EncodedWeight>;
}

/** Weights in HQQ's layout, with the names and dtypes of `HQQLinear.state_dict`. */
import type { TensorForm } from "../../core/files/safetensors.ts";
import type { Json, MatrixDims, Named, Tensor } from "../../core/types.ts";
import type { BlockBits } from "../quantization/linear_blocks.ts";

/** A weight in groups of inputs: codes [groups, group size], one a byte, and the scale and zero point of each group. */
export type GroupedWeight = Readonly<{ codes: Uint8Array; scales: Float32Array; zeros: Float32Array }>;

/** Parameters of the layout. */
export type HqqLayout = Readonly<{ bits: BlockBits; groupSize: number }>;

/** Returns the bits of a stored code: 8 if the groups cannot be divided into equal parts to be packed together. */
function packingOf({ bits, groupSize }: HqqLayout, [outputs, inputs]: MatrixDims): BlockBits {
  const groups = outputs * inputs / groupSize;
  return groups % (8 / bits) === 0 ? bits : 8;
}

/** Returns the dtype and dims of each tensor of a weight, by the last part of its name. */
export function hqqForms(layout: HqqLayout, dims: MatrixDims): Named<TensorForm> {
  const tensors = hqqTensors(layout, dims, undefined);
  return Object.fromEntries(Object.entries(tensors).map(([name, { dtype, dims }]) => [name, { dtype, dims }]));
}

/** Returns the tensors of a weight, by the last part of their names; zeros if `weight` is undefined. */
export function hqqTensors(layout: HqqLayout, dims: MatrixDims, weight: GroupedWeight | undefined): Named<Tensor> {
  const [outputs, inputs] = dims;
  const { groupSize } = layout;
  const bits = packingOf(layout, dims);
  const groups = outputs * inputs / groupSize;
  const each = 8 / bits;
  const step = groups / each;
  const packed = new Uint8Array(step * groupSize);
  weight?.codes.forEach((code, i) => {
    const at = i % packed.length;
    // The first part of the groups is in the highest bits.
    packed[at] = (packed[at] as number) | (code << (bits * (each - 1 - Math.floor(i / packed.length))));
  });
  const none = (): Float32Array => new Float32Array(groups);
  return {
    W_q: { dtype: "uint8", dims: [step, groupSize], data: packed },
    axis: int32Scalar(1),
    channel_wise: flag(true),
    compute_dtype: text("torch.float32"),
    encoded_state_dict: flag(true),
    group_size: int32Scalar(groupSize),
    nbits: int32Scalar(bits),
    offload_meta: flag(false),
    optimize: flag(false),
    packing: text(`${bits}bit_u8`),
    quant_scale: flag(false),
    quant_zero: flag(false),
    round_zero: flag(false),
    scale: { dtype: "float32", dims: [groups, 1], data: weight?.scales ?? none() },
    shape: { dtype: "int64", dims: [2], data: BigInt64Array.of(BigInt(outputs), BigInt(inputs)) },
    stores_quant_config: flag(true),
    unpack_view_dtype: text("torch.uint8"),
    view_as_float: flag(false),
    zero: { dtype: "float32", dims: [groups, 1], data: weight?.zeros ?? none() },
  };
}

/** Returns the fields of config.json for weights in this layout. `skipped`: modules that are not packed. */
export function hqqConfig({ bits, groupSize }: HqqLayout, skipped: readonly string[]): Named<Json> {
  return {
    quantization_config: {
      quant_method: "hqq",
      skip_modules: skipped,
      quant_config: {
        weight_quant_params: {
          nbits: bits,
          group_size: groupSize,
          axis: 1,
          channel_wise: true,
          optimize: false,
          round_zero: false,
          view_as_float: false,
        },
        scale_quant_params: null,
        zero_quant_params: null,
        offload_meta: false,
      },
    },
  };
}

function int32Scalar(value: number): Tensor {
  return { dtype: "int32", dims: [], data: Int32Array.of(value) };
}

function flag(value: boolean): Tensor {
  return { dtype: "uint8", dims: [], data: Uint8Array.of(value ? 1 : 0) };
}

function text(value: string): Tensor {
  const data = new TextEncoder().encode(value);
  return { dtype: "uint8", dims: [data.length], data };
}

/** Repacking of weights in bitsandbytes' layouts, as its quantizers do it. */
import { fromFloat32, toFloat32, viewOf } from "../../core/files/safetensors.ts";
import type { MatrixDims, Named } from "../../core/types.ts";
import { type FourBitType, quantizeAbsmax, quantizeFourBit } from "../quantization/bitsandbytes.ts";
import { roundToEven } from "../quantization/round_to_even.ts";
import type { Repack } from "./packed_weight.ts";

/** How a 4-bit weight is stored. `bytes`: size of its padded codes; `state`: its description, if that has an offset. */
export type FourBitLayout = Readonly<{
  type: FourBitType;
  blockSize: number;
  bytes: number;
  state?: Readonly<{ name: string; fields: Named<unknown> }> | undefined;
}>;

/** Room for the digits of the offset, because a description's length must be known before its offset. */
const DIGITS = 25;

/** Repacks nf4 or fp4 weights, with a second level of quantization if there is a `state`. */
export function repackFourBit(name: string, { type, blockSize, bytes, state }: FourBitLayout): Repack {
  const textOf = (offset: number): string => JSON.stringify({ ...state?.fields, nested_offset: offset });
  const length = textOf(0).length + DIGITS;
  return {
    ...(state ? { forms: { [state.name]: { dtype: "uint8", dims: [length] } } } : {}),
    pack: (values) => {
      const { codes, absmax } = quantizeFourBit(values, type, blockSize);
      const filled = new Uint8Array(bytes);
      filled.set(codes);
      if (!state) return Promise.resolve({ [name]: filled, [`${name}.absmax`]: bytesOf(absmax) });
      const nested = quantizeAbsmax(absmax);
      return Promise.resolve({
        [name]: filled,
        [`${name}.absmax`]: nested.codes,
        [`${name}.nested_absmax`]: bytesOf(nested.nestedAbsmax),
        // Spaces after JSON have no meaning.
        [state.name]: new TextEncoder().encode(textOf(nested.offset).padEnd(length)),
      });
    },
  };
}

/** Repacks int8 weights with a scale per output. Like the library, it rounds values to half precision first. */
export function repackEightBit(module: string, [outputs, inputs]: MatrixDims): Repack {
  return {
    pack: (values) => {
      const data = viewOf("float16", fromFloat32(values.slice(), "float16"));
      const halves = toFloat32({ dtype: "float16", dims: [outputs, inputs], data }).data;
      const [codes, scales] = [new Int8Array(values.length), new Float32Array(outputs)];
      for (let o = 0; o < outputs; o++) {
        const row = halves.subarray(o * inputs, (o + 1) * inputs);
        const most = row.reduce((sofar, x) => Math.max(sofar, Math.abs(x)), 0);
        scales[o] = most;
        // torch divides a number by a tensor as the number times the tensor's reciprocal.
        const factor = most === 0 ? 0 : Math.fround(127 * Math.fround(1 / most));
        row.forEach((x, i) => (codes[o * inputs + i] = roundToEven(Math.fround(x * factor))));
      }
      return Promise.resolve({ [`${module}.weight`]: bytesOf(codes), [`${module}.SCB`]: bytesOf(scales) });
    },
  };
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array | Int8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

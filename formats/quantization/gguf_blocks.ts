/** GGUF block types that ONNX Runtime's product over blocks can use without decoding: Q4_0, Q4_1 and Q8_0. */
import { halfToFloat } from "../../core/gguf/blocks.ts";
import type { Named, Tensor, WeightFormat } from "../../core/types.ts";
import { linearBlocks, packCodes } from "./linear_blocks.ts";

/** Number of weights in a block. */
const SIZE = 32;

type Kept = Readonly<{ format: WeightFormat; bits: 4 | 8; least: boolean }>;

const formats: Readonly<Record<string, Kept>> = {
  Q4_0: { format: linearBlocks({ bits: 4, blockSize: SIZE, hasZeros: false }), bits: 4, least: false },
  Q4_1: { format: linearBlocks({ bits: 4, blockSize: SIZE, hasZeros: true }), bits: 4, least: true },
  Q8_0: { format: linearBlocks({ bits: 8, blockSize: SIZE, hasZeros: false }), bits: 8, least: false },
};

/** Returns the format in which sessions keep blocks of a type; undefined: they are decoded. */
export function formatOfBlocks(type: string): WeightFormat | undefined {
  return Object.hasOwn(formats, type) ? formats[type]?.format : undefined;
}

/** Converts rows of blocks to the tensors that sessions keep. `place`: the weight's row for each row of the file. */
export function encodeBlocks(
  type: string,
  bytes: Uint8Array,
  [rows, columns]: readonly [rows: number, columns: number],
  place: (row: number) => number,
): Named<Tensor> {
  const { bits, least } = formats[type] as Kept;
  const [head, width] = [least ? 4 : 2, (least ? 4 : 2) + SIZE * bits / 8];
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blocks = columns / SIZE;
  const codes = new Uint8Array(rows * columns);
  const [scales, zeros] = [new Float32Array(rows * blocks), new Float32Array(rows * blocks)];
  for (let row = 0; row < rows; row++) {
    for (let b = 0; b < blocks; b++) {
      const [at, to] = [(row * blocks + b) * width, place(row) * blocks + b];
      const [d, m] = [halfToFloat(data.getUint16(at, true)), least ? halfToFloat(data.getUint16(at + 2, true)) : 0];
      // If all values equal the least, m, then m is the scale, the code 0 and the zero point -1: (0 - -1) m.
      const isFlat = least && d === 0;
      scales[to] = isFlat ? m : d;
      zeros[to] = isFlat ? -1 : -m / d;
      if (isFlat) continue;
      for (let i = 0; i < SIZE; i++) {
        const place = at + head + (bits === 4 ? i & 15 : i);
        // The low nibbles of all bytes come first.
        const code = bits === 8 ? data.getInt8(place) + 128 : (data.getUint8(place) >> (i < 16 ? 0 : 4)) & 15;
        codes[to * SIZE + i] = code;
      }
    }
  }
  return {
    codes: { dtype: "uint8", dims: [rows, blocks, SIZE * bits / 8], data: packCodes(codes, bits) },
    scales: { dtype: "float32", dims: [rows, blocks], data: scales },
    ...(least ? { zeros: { dtype: "float32", dims: [rows, blocks], data: zeros } } : {}),
  };
}

/** Decodes the values of GGUF tensors, which are blocks of small integers with scales (as in llama.cpp), to float32. */

/** A tensor type: number of values and bytes of a block, and its decoder. */
export type BlockType = Readonly<{
  name: string;
  values: number;
  bytes: number;
  /** Decodes the block that starts at byte `at` and writes its values to `out` from index `to` on. */
  read: (data: DataView, at: number, out: Float32Array, to: number) => void;
}>;

const buffer = new DataView(new ArrayBuffer(4));

/** Factor of a half-precision number's fraction (an integer below 2,048), by exponent. */
const steps = Float64Array.from({ length: 31 }, (_, exponent) => 2 ** (Math.max(exponent, 1) - 25));

/** Converts the bits of a half-precision number. */
export function halfToFloat(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const infinite = fraction === 0 ? Infinity : NaN;
  const size = exponent === 31 ? infinite : (exponent === 0 ? fraction : fraction + 1024) * (steps[exponent] as number);
  return bits & 0x8000 ? -size : size;
}

const halfAt = (data: DataView, at: number): number => halfToFloat(data.getUint16(at, true));

/** Blocks of 32 values: nibbles with a scale, and optionally a minimum or a fifth bit. */
function nibbles(fifth: boolean, least: boolean, shift: number, levels?: readonly number[]): BlockType["read"] {
  return (data, at, out, to) => {
    const d = halfAt(data, at);
    const m = least ? halfAt(data, at + 2) : 0;
    const bits = at + (least ? 4 : 2);
    const high = fifth ? data.getUint32(bits, true) : 0;
    const start = bits + (fifth ? 4 : 0);
    for (let i = 0; i < 32; i++) {
      const nibble = (data.getUint8(start + (i & 15)) >> (i < 16 ? 0 : 4)) & 15;
      const q = nibble | (((high >>> i) & 1) << 4);
      const value = levels ? levels[q] ?? 0 : q - shift;
      out[to + i] = least ? d * value + m : d * value;
    }
  };
}

/** Returns scale and minimum of eighth `j` of a block of 256 values; 12 bytes hold 16 numbers of 6 bits. */
function scaleAndLeast(data: DataView, at: number, j: number): readonly [number, number] {
  const byte = (i: number): number => data.getUint8(at + i);
  if (j < 4) return [byte(j) & 63, byte(j + 4) & 63];
  const nibbles = byte(j + 4);
  return [(nibbles & 15) | ((byte(j - 4) >> 2) & 48), (nibbles >> 4) | ((byte(j) >> 2) & 48)];
}

/** Decoder of Q4_K, or of Q5_K with a fifth bit. */
function eighths(fifth: boolean): BlockType["read"] {
  return (data, at, out, to) => {
    const [d, least] = [halfAt(data, at), halfAt(data, at + 2)];
    const high = at + 16;
    const low = high + (fifth ? 32 : 0);
    for (let j = 0; j < 8; j++) {
      const [scale, min] = scaleAndLeast(data, at + 4, j);
      for (let l = 0; l < 32; l++) {
        const nibble = (data.getUint8(low + 32 * (j >> 1) + l) >> (4 * (j & 1))) & 15;
        const q = fifth ? nibble | (((data.getUint8(high + l) >> j) & 1) << 4) : nibble;
        out[to + 32 * j + l] = d * scale * q - least * min;
      }
    }
  };
}

const q2: BlockType["read"] = (data, at, out, to) => {
  const [d, least] = [halfAt(data, at + 80), halfAt(data, at + 82)];
  for (let i = 0; i < 256; i++) {
    const scale = data.getUint8(at + (i >> 4));
    const q = (data.getUint8(at + 16 + 32 * (i >> 7) + (i & 31)) >> (2 * ((i >> 5) & 3))) & 3;
    out[to + i] = d * (scale & 15) * q - least * (scale >> 4);
  }
};

const q3: BlockType["read"] = (data, at, out, to) => {
  const d = halfAt(data, at + 108);
  for (let i = 0; i < 256; i++) {
    const j = i >> 4;
    const low = (data.getUint8(at + 96 + (j & 7)) >> (j < 8 ? 0 : 4)) & 15;
    const high = (data.getUint8(at + 104 + (j & 3)) >> (2 * (j >> 2))) & 3;
    const q = (data.getUint8(at + 32 + 32 * (i >> 7) + (i & 31)) >> (2 * ((i >> 5) & 3))) & 3;
    const bit = (data.getUint8(at + (i & 31)) >> (i >> 5)) & 1;
    out[to + i] = d * ((low | (high << 4)) - 32) * (q - (bit ? 0 : 4));
  }
};

const q6: BlockType["read"] = (data, at, out, to) => {
  const d = halfAt(data, at + 208);
  for (let i = 0; i < 256; i++) {
    const [part, l] = [i >> 7, i & 127];
    const low = (data.getUint8(at + 64 * part + (l & 63)) >> (l < 64 ? 0 : 4)) & 15;
    const high = (data.getUint8(at + 128 + 32 * part + (l & 31)) >> (2 * (l >> 5))) & 3;
    out[to + i] = Math.fround(d * data.getInt8(at + 192 + (i >> 4))) * ((low | (high << 4)) - 32);
  }
};

const levels = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

/** Decoder of IQ4_XS: eighths with a scale of 6 bits each. */
const iq4xs: BlockType["read"] = (data, at, out, to) => {
  const d = halfAt(data, at);
  const high = data.getUint16(at + 2, true);
  for (let j = 0; j < 8; j++) {
    const low = (data.getUint8(at + 4 + (j >> 1)) >> (4 * (j & 1))) & 15;
    const scale = (low | (((high >> (2 * j)) & 3) << 4)) - 32;
    for (let l = 0; l < 32; l++) {
      const nibble = (data.getUint8(at + 8 + 16 * j + (l & 15)) >> (l < 16 ? 0 : 4)) & 15;
      out[to + 32 * j + l] = Math.fround(d * scale) * (levels[nibble] ?? 0);
    }
  }
};

/** Tensor types by GGML's type numbers. */
export const blockTypes: ReadonlyMap<number, BlockType> = new Map<number, BlockType>([
  [0, { name: "F32", values: 1, bytes: 4, read: (data, at, out, to) => void (out[to] = data.getFloat32(at, true)) }],
  [1, { name: "F16", values: 1, bytes: 2, read: (data, at, out, to) => void (out[to] = halfAt(data, at)) }],
  [30, {
    name: "BF16",
    values: 1,
    bytes: 2,
    read: (data, at, out, to) => {
      buffer.setUint32(0, data.getUint16(at, true) << 16);
      out[to] = buffer.getFloat32(0);
    },
  }],
  [2, { name: "Q4_0", values: 32, bytes: 18, read: nibbles(false, false, 8) }],
  [3, { name: "Q4_1", values: 32, bytes: 20, read: nibbles(false, true, 0) }],
  [6, { name: "Q5_0", values: 32, bytes: 22, read: nibbles(true, false, 16) }],
  [7, { name: "Q5_1", values: 32, bytes: 24, read: nibbles(true, true, 0) }],
  [8, {
    name: "Q8_0",
    values: 32,
    bytes: 34,
    read: (data, at, out, to) => {
      const d = halfAt(data, at);
      for (let i = 0; i < 32; i++) out[to + i] = d * data.getInt8(at + 2 + i);
    },
  }],
  [10, { name: "Q2_K", values: 256, bytes: 84, read: q2 }],
  [11, { name: "Q3_K", values: 256, bytes: 110, read: q3 }],
  [12, { name: "Q4_K", values: 256, bytes: 144, read: eighths(false) }],
  [13, { name: "Q5_K", values: 256, bytes: 176, read: eighths(true) }],
  [14, { name: "Q6_K", values: 256, bytes: 210, read: q6 }],
  [20, { name: "IQ4_NL", values: 32, bytes: 18, read: nibbles(false, false, 0, levels) }],
  [23, { name: "IQ4_XS", values: 256, bytes: 136, read: iq4xs }],
]);

/** Decodes whole blocks and writes their values to `out` from index `to` on. */
export function dequantize(type: BlockType, bytes: Uint8Array, out: Float32Array, to: number): void {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const blocks = Math.floor(bytes.length / type.bytes);
  for (let i = 0; i < blocks; i++) type.read(data, i * type.bytes, out, to + i * type.values);
}

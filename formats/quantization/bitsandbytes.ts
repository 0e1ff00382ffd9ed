/**
 * Quantization as in bitsandbytes, bit for bit: nf4, fp4, and the second level, which quantizes their block maxima.
 *
 *     w[i] = table[code[i]] * absmax[⌊i / blockSize⌋]        over the flattened [out, in] weight, high nibble first
 *     absmax[b] = map[code[b]] * nestedAbsmax[⌊b / 256⌋] + offset
 * @module
 */

/** The 4-bit types. */
export type FourBitType = "nf4" | "fp4";

/** The value of each code, by type. */
export const fourBitTables: Readonly<Record<FourBitType, Float32Array>> = {
  nf4: Float32Array.of(
    -1,
    -0.6961928009986877,
    -0.5250730514526367,
    -0.39491748809814453,
    -0.28444138169288635,
    -0.18477343022823334,
    -0.09105003625154495,
    0,
    0.07958029955625534,
    0.16093020141124725,
    0.24611230194568634,
    0.33791524171829224,
    0.44070982933044434,
    0.5626170039176941,
    0.7229568362236023,
    1,
  ),
  fp4: Float32Array.from([0, 1 / 16, 8, 12, 4, 6, 2, 3, 0, -1 / 16, -8, -12, -4, -6, -2, -3], (x) => x / 12),
};

/** The block size of the second level of quantization. */
export const NESTED_BLOCK = 256;

/** A weight in 4-bit codes, two a byte, with the largest magnitude of each block. */
export type FourBitCodes = Readonly<{ codes: Uint8Array; absmax: Float32Array }>;

/** Block maxima in 8-bit codes. */
export type NestedCodes = Readonly<{ codes: Uint8Array; nestedAbsmax: Float32Array; offset: number }>;

const { fround } = Math;
const SMALLEST = fround(1e-38);

/** Quantizes a weight to the nearest codes; its values must be finite. */
export function quantizeFourBit(values: Float32Array, type: FourBitType, blockSize: number): FourBitCodes {
  const { order, borders } = rankings[type];
  const codeAt = nearestCodes[type];
  const codes = new Uint8Array(Math.ceil(values.length / 2));
  const absmax = new Float32Array(Math.ceil(values.length / blockSize));
  for (let b = 0; b < absmax.length; b++) {
    const [start, end] = [b * blockSize, Math.min((b + 1) * blockSize, values.length)];
    const isFull = end - start === blockSize;
    const most = largest(values, start, end);
    const divisor = Math.max(most, SMALLEST);
    // The library multiplies by the reciprocal in whole blocks, but divides in the last, partial one.
    const factor = fround(1 / divisor);
    absmax[b] = isFull ? most : divisor;
    for (let i = start; i < end; i++) {
      const x = values[i] as number;
      const code = codeAt(fround(isFull ? x * factor : x / divisor));
      codes[i >> 1] = (codes[i >> 1] as number) | (i % 2 === 0 ? code << 4 : code);
    }
  }
  // With an odd number of values, the last nibble is the code of zero.
  if (values.length % 2 === 1) {
    codes[codes.length - 1] = (codes.at(-1) as number) | (order[countBelow(borders, 0)] as number);
  }
  return { codes, absmax };
}

function largest(values: Float32Array, start: number, end: number): number {
  let most = 0;
  for (let i = start; i < end; i++) {
    const x = Math.abs(values[i] as number);
    if (x > most) most = x;
  }
  return most;
}

/** Decodes `length` values. */
export function dequantizeFourBit(
  { codes, absmax }: FourBitCodes,
  table: Float32Array,
  blockSize: number,
  length: number,
): Float32Array {
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) {
    const byte = codes[i >> 1] as number;
    const code = i % 2 === 0 ? byte >> 4 : byte & 15;
    values[i] = (table[code] as number) * (absmax[Math.floor(i / blockSize)] as number);
  }
  return values;
}

/** Quantizes block maxima to 8 bits, as the library's CPU kernel does: rounded to one of 65,536 steps first. */
export function quantizeAbsmax(absmax: Float32Array): NestedCodes {
  const offset = fround(sumAsTorch(absmax) / absmax.length);
  const codes = new Uint8Array(absmax.length);
  const nestedAbsmax = new Float32Array(Math.ceil(absmax.length / NESTED_BLOCK));
  for (let b = 0; b < nestedAbsmax.length; b++) {
    const rest = absmax.subarray(b * NESTED_BLOCK, (b + 1) * NESTED_BLOCK).map((x) => x - offset);
    const most = rest.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    nestedAbsmax[b] = most;
    const factor = most === 0 ? 0 : fround(1 / most);
    rest.forEach((x, i) => {
      codes[b * NESTED_BLOCK + i] = most === 0 ? 0 : codeOfStep(Math.min(1, Math.max(-1, fround(x * factor))));
    });
  }
  return { codes, nestedAbsmax, offset };
}

/** Decodes block maxima. */
export function dequantizeAbsmax({ codes, nestedAbsmax, offset }: NestedCodes): Float32Array {
  return Float32Array.from(
    codes,
    (code, b) => fround((dynamicMap[code] as number) * (nestedAbsmax[Math.floor(b / NESTED_BLOCK)] as number)) + offset,
  );
}

/** The 256 values of the second level, sorted: seven decades, each divided twice as finely as the one below. */
export const dynamicMap: Float32Array = makeDynamicMap();

function makeDynamicMap(): Float32Array {
  const values = [0, 1];
  for (let i = 0; i < 7; i++) {
    const parts = 2 ** i;
    const step = fround(fround(1 - fround(0.1)) / parts);
    // As torch.linspace computes them: from both ends towards the middle, each rounded once.
    const at = (k: number): number =>
      fround(k < Math.floor((parts + 1) / 2) ? fround(0.1) + step * k : 1 - step * (parts - k));
    for (let k = 0; k < parts; k++) {
      const middle = fround(fround(at(k) + at(k + 1)) / 2);
      const value = fround(fround(10 ** (i - 6)) * middle);
      values.push(value, -value);
    }
  }
  return Float32Array.from(values).sort();
}

const nestedBorders = bordersOf(dynamicMap);

function codeOfStep(x: number): number {
  const step = Math.trunc(fround(fround(fround(fround(x + 1) * 0.5) * 65535) + 0.5));
  return countBelow(nestedBorders, fround(-1 + fround(2 * step) / 65535));
}

/** Returns the codes of a table in the order of their values, and the borders between neighbours. */
function ranking(table: Float32Array): Readonly<{ order: readonly number[]; borders: Float32Array }> {
  // The lower of two codes for zero comes first.
  const order = [...table.keys()].sort((a, b) => (table[a] as number) - (table[b] as number) || a - b);
  return { order, borders: bordersOf(Float32Array.from(order, (code) => table[code] as number)) };
}

const rankings: Readonly<Record<FourBitType, ReturnType<typeof ranking>>> = {
  nf4: ranking(fourBitTables.nf4),
  fp4: ranking(fourBitTables.fp4),
};

/** The number of parts of [-1, 1]: enough that no part contains two borders. */
const PARTS = 1024;

const nearestCodes: Readonly<Record<FourBitType, (x: number) => number>> = {
  nf4: nearestCode(rankings.nf4),
  fp4: nearestCode(rankings.fp4),
};

/**
 * Returns a function from a value, clamped to [-1, 1], to its nearest code. It looks up the part of [-1, 1] containing
 * the value and compares with the border in that part, if any: a hundred million weights need the speed.
 */
function nearestCode({ order, borders }: ReturnType<typeof ranking>): (x: number) => number {
  const part = (x: number): number => Math.floor((x + 1) * (PARTS / 2));
  const [below, above] = [new Uint8Array(PARTS + 1), new Uint8Array(PARTS + 1)];
  const between = new Float32Array(PARTS + 1).fill(Infinity);
  for (let p = 0, k = 0; p <= PARTS; p++) {
    below[p] = order[k] as number;
    if (k < borders.length && part(borders[k] as number) === p) between[p] = borders[k++] as number;
    above[p] = order[k] as number;
  }
  return (x) => {
    const p = ((x < -1 ? -1 : x > 1 ? 1 : x) + 1) * (PARTS / 2) | 0;
    return (x > (between[p] as number) ? above[p] : below[p]) as number;
  };
}

function bordersOf(sorted: Float32Array): Float32Array {
  return Float32Array.from({ length: sorted.length - 1 }, (_, i) => {
    const sum = (sorted[i] as number) + (sorted[i + 1] as number);
    return fround(fround(sum) * 0.5);
  });
}

/** Returns the number of borders below a value. A value on a border belongs to the lower neighbour. */
function countBelow(borders: Float32Array, x: number): number {
  let [low, high] = [0, borders.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((borders[middle] as number) < x) low = middle + 1;
    else high = middle;
  }
  return low;
}

const ACCUMULATORS = 4;
const LEVELS = 4;

/**
 * Sums float32 values in the order in which torch adds on a CPU, so that even the last bit is equal: vectors of eight
 * lanes (one lane below eight values), four accumulators in turn, cascaded through levels; the leftover values first.
 * (Above 32,767 values torch's own bits depend on its threads.)
 */
function sumAsTorch(x: Float32Array): number {
  const lanes = x.length < 8 ? 1 : 8;
  const vectors = Math.floor(x.length / lanes);
  let total = 0;
  for (let i = vectors * lanes; i < x.length; i++) total = fround(total + (x[i] as number));
  const rows = Math.floor(vectors / ACCUMULATORS);
  const sums = cascade(x, rows, lanes * ACCUMULATORS);
  for (let v = rows * ACCUMULATORS; v < vectors; v++) addInto(sums, x, v * lanes, lanes);
  for (let a = 1; a < ACCUMULATORS; a++) addInto(sums, sums.slice(a * lanes, (a + 1) * lanes), 0, lanes);
  for (let lane = 0; lane < lanes; lane++) total = fround(total + (sums[lane] as number));
  return total;
}

/** Adds up rows of `width` values: after every `step` rows of a level, its sum moves to the next level. */
function cascade(x: Float32Array, rows: number, width: number): Float32Array {
  const power = Math.max(4, Math.floor(Math.ceil(Math.log2(Math.max(1, rows))) / LEVELS));
  const step = 2 ** power;
  const levels = Array.from({ length: LEVELS }, () => new Float32Array(width));
  const level = (j: number): Float32Array => levels[j] as Float32Array;
  let row = 0;
  while (row + step <= rows) {
    for (let j = 0; j < step; j++, row++) addInto(level(0), x, row * width, width);
    for (let j = 1; j < LEVELS; j++) {
      addInto(level(j), level(j - 1), 0, width);
      level(j - 1).fill(0);
      if (Math.floor(row / step ** j) % step !== 0) break;
    }
  }
  for (; row < rows; row++) addInto(level(0), x, row * width, width);
  for (let j = 1; j < LEVELS; j++) addInto(level(0), level(j), 0, width);
  return level(0);
}

function addInto(sums: Float32Array, x: Float32Array, from: number, count: number): void {
  for (let i = 0; i < count; i++) sums[i] = (sums[i] as number) + (x[from + i] as number);
}

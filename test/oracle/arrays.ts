/**
 * Dense arrays of float64 and the few ways to walk over them.
 * @module
 */

/** A dense row-major array; integers and bools (0, 1) are held as float64 too. */
export type NDArray = Readonly<{ dims: readonly number[]; data: Float64Array }>;

/** Places along each axis. */
export type Place = readonly number[];

/** The number of elements. */
export function sizeOf(dims: readonly number[]): number {
  return dims.reduce((a, b) => a * b, 1);
}

/** An array from values. Throws RangeError where their number does not fit. */
export function array(dims: readonly number[], data: ArrayLike<number>): NDArray {
  if (data.length !== sizeOf(dims)) throw new RangeError(`${data.length} values for dims [${dims}]`);
  return { dims, data: Float64Array.from(data) };
}

/** The place of the n-th element. */
export function placeOf(dims: readonly number[], n: number): number[] {
  const place: number[] = [];
  for (const dim of dims.toReversed()) {
    place.unshift(n % dim);
    n = Math.floor(n / dim);
  }
  return place;
}

/** The number of the element at a place. Throws RangeError where it lies outside. */
export function numberOf(dims: readonly number[], place: Place): number {
  if (place.length !== dims.length) throw new RangeError(`Place [${place}] of dims [${dims}]`);
  return dims.reduce((n, dim, axis) => {
    const i = place[axis] ?? NaN;
    if (!(i >= 0 && i < dim)) throw new RangeError(`Place [${place}] lies outside dims [${dims}]`);
    return n * dim + i;
  }, 0);
}

/** The element at a place. */
export function at(x: NDArray, place: Place): number {
  return x.data[numberOf(x.dims, place)] ?? NaN;
}

/** The element that broadcasting puts at a place of a larger array. */
export function atBroadcast(x: NDArray, place: Place): number {
  const own = place.slice(place.length - x.dims.length);
  return at(x, own.map((i, axis) => (x.dims[axis] === 1 ? 0 : i)));
}

/** An array from a function of the place. */
export function fill(dims: readonly number[], value: (place: number[]) => number): NDArray {
  return { dims, data: Float64Array.from({ length: sizeOf(dims) }, (_, n) => value(placeOf(dims, n))) };
}

/** The dims that arrays broadcast to. Throws RangeError where they do not fit. */
export function broadcastDims(...all: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...all.map((dims) => dims.length));
  return Array.from({ length: rank }, (_, axis) => {
    let size = 1;
    for (const dims of all) {
      const own = dims[axis - rank + dims.length] ?? 1;
      if (own === 1 || own === size) continue;
      if (size !== 1) throw new RangeError(`Dims ${all.map((d) => `[${d}]`).join(", ")} do not broadcast`);
      size = own;
    }
    return size;
  });
}

/** A place with one axis changed. */
export function moved(place: Place, axis: number, to: number): number[] {
  return place.map((i, k) => (k === axis ? to : i));
}

/** The error function, by ∑ of positive terms: erf x = 2/√π e^(-x²) ∑ 2ⁿ x^(2n+1) / (2n+1)!!. */
export function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = 0;
  for (let n = 0; Math.abs(term) > 1e-20 * Math.abs(sum) && n < 400; n++) {
    sum += term;
    term *= (2 * x * x) / (2 * n + 3);
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

/**
 * Elementary functions from arithmetic alone: +, -, ×, ÷ and √ are exact in every engine, Math.exp and its like are not.
 * What enters a run through these has the same bits everywhere.
 * @module
 */

const LN2_HIGH = 6.93147180369123816490e-1; // 33 bits, so that small multiples are exact
const LN2_LOW = 1.90821492927058770002e-10;
const HALF_PI_HIGH = 1.57079632673412561417;
const HALF_PI_MIDDLE = 6.07710050630396597660e-11;
const HALF_PI_LOW = 2.02226624879595063154e-21;

const bits = new DataView(new ArrayBuffer(8));

/** ln x, by x = 2ᵉ m and ln m = 2 artanh((m-1)/(m+1)); NaN below 0, -∞ at 0. */
export function log(x: number): number {
  if (!(x > 0) || x === Infinity) return x === 0 ? -Infinity : x === Infinity ? x : NaN;
  let exponent = 0;
  if (x < 2.2250738585072014e-308) [x, exponent] = [x * 2 ** 54, -54];
  bits.setFloat64(0, x);
  exponent += ((bits.getUint16(0) >> 4) & 2047) - 1023;
  bits.setUint16(0, (bits.getUint16(0) & 15) | (1023 << 4));
  let m = bits.getFloat64(0);
  if (m > Math.SQRT2) [m, exponent] = [m / 2, exponent + 1];
  const s = (m - 1) / (m + 1);
  const s2 = s * s;
  let sum = 0;
  for (let k = 23; k >= 3; k -= 2) sum = (sum + 1 / k) * s2;
  return exponent * LN2_HIGH + (2 * s + (2 * s * sum + exponent * LN2_LOW));
}

/** eˣ, by x = k ln 2 + r and a Taylor series of r. */
export function exp(x: number): number {
  if (!(x > -746)) return x !== x ? NaN : 0;
  if (x > 709.79) return Infinity;
  const k = Math.round(x / Math.LN2);
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  let sum = 1;
  for (let n = 16; n >= 1; n--) sum = 1 + (sum * r) / n;
  // In two factors, so that results below the normal range come out too.
  const half = k >> 1;
  return sum * power2(half) * power2(k - half);
}

/** xʸ for x ≥ 0. */
export function pow(x: number, y: number): number {
  if (y === 0 || x === 1) return 1;
  if (x === 0) return y > 0 ? 0 : Infinity;
  // Whole small powers by multiplication, exactly as people expect of squares.
  if (Number.isInteger(y) && y > 0 && y <= 32) {
    let product = 1;
    for (let i = 0; i < y; i++) product *= x;
    return product;
  }
  return exp(y * log(x));
}

/** cos x for |x| up to a million. */
export function cos(x: number): number {
  const { quadrant, r } = reduced(x);
  return quadrant === 0 ? cosine(r) : quadrant === 1 ? -sine(r) : quadrant === 2 ? -cosine(r) : sine(r);
}

/** sin x for |x| up to a million. */
export function sin(x: number): number {
  const { quadrant, r } = reduced(x);
  return quadrant === 0 ? sine(r) : quadrant === 1 ? cosine(r) : quadrant === 2 ? -sine(r) : -cosine(r);
}

function reduced(x: number): { quadrant: number; r: number } {
  const n = Math.round((x * 2) / Math.PI);
  return { quadrant: ((n % 4) + 4) % 4, r: x - n * HALF_PI_HIGH - n * HALF_PI_MIDDLE - n * HALF_PI_LOW };
}

function sine(r: number): number {
  const r2 = r * r;
  let sum = 1;
  for (let n = 20; n >= 2; n -= 2) sum = 1 - (sum * r2) / (n * (n + 1));
  return r * sum;
}

function cosine(r: number): number {
  const r2 = r * r;
  let sum = 1;
  for (let n = 21; n >= 1; n -= 2) sum = 1 - (sum * r2) / (n * (n + 1));
  return sum;
}

function power2(k: number): number {
  bits.setFloat64(0, 0);
  bits.setUint16(0, (k + 1023) << 4);
  return bits.getFloat64(0);
}

/**
 * Elementary functions computed with +, -, ×, ÷ and √ alone, which every engine rounds in the same way, unlike
 * Math.exp. Their results have the same bits everywhere. The errors given below are relative to the exact value.
 * @module
 */

const LN2_HIGH = 6.93147180369123816490e-1; // 33 bits, so that small multiples are exact
const LN2_LOW = 1.90821492927058770002e-10;
const HALF_PI_HIGH = 1.57079632673412561417;
const HALF_PI_MIDDLE = 6.07710050630396597660e-11;
const HALF_PI_LOW = 2.02226624879595063154e-21;
const TWO_54 = 18014398509481984;

const bits = new DataView(new ArrayBuffer(8));

/** ln x within 1e-15, by x = 2ᵉ m and ln m = 2 artanh((m-1)/(m+1)); NaN below 0, -∞ at 0. */
export function log(x: number): number {
  if (!(x > 0) || x === Infinity) return x === 0 ? -Infinity : x === Infinity ? x : NaN;
  let exponent = -1023;
  if (x < 2.2250738585072014e-308) {
    x *= TWO_54;
    exponent -= 54;
  }
  bits.setFloat64(0, x);
  const high = bits.getInt32(0);
  exponent += high >> 20;
  bits.setInt32(0, (high & 0xfffff) | 0x3ff00000);
  let m = bits.getFloat64(0);
  if (m > Math.SQRT2) {
    m /= 2;
    exponent++;
  }
  const s = (m - 1) / (m + 1);
  const z = s * s;
  const tail = z * (1 / 15 + z * (1 / 17 + z * (1 / 19 + z * (1 / 21 + z * (1 / 23)))));
  const sum = z * (1 / 3 + z * (1 / 5 + z * (1 / 7 + z * (1 / 9 + z * (1 / 11 + z * (1 / 13 + tail))))));
  return exponent * LN2_HIGH + (2 * s + (2 * s * sum + exponent * LN2_LOW));
}

/** eˣ within 1e-15 where it is a normal number, by x = k ln 2 + r and a Taylor series of r. */
export function exp(x: number): number {
  if (!(x > -746)) return x !== x ? NaN : 0;
  if (x > 709.79) return Infinity;
  const k = Math.round(x / Math.LN2);
  const r = x - k * LN2_HIGH - k * LN2_LOW;
  let sum = 1;
  for (let n = 16; n >= 1; n--) sum = 1 + (sum * r) / n;
  // In two factors, so that subnormal results are right too.
  const half = k >> 1;
  return sum * power2(half) * power2(k - half);
}

/** xʸ for x ≥ 0, within 4e-16 · max(4, |y ln x|): exact where y is 0, ½ or 1 and where small whole powers are. */
export function pow(x: number, y: number): number {
  if (y === 0 || x === 1) return 1;
  if (y === 0.5 && x >= 0) return Math.sqrt(x);
  // Small whole powers by multiplication, so that squares and the like are exact.
  if (Number.isInteger(y) && y > 0 && y <= 32) {
    let product = 1;
    for (let i = 0; i < y; i++) product *= x;
    return product;
  }
  if (x === 0 && y === y) return y > 0 ? 0 : Infinity;
  return exp(y * log(x));
}

/** cos x within 1e-15 of 1, for |x| up to a million. */
export function cos(x: number): number {
  const n = quadrants(x);
  const r = reduced(x, n);
  const turned = n & 1 ? sine(r) : cosine(r);
  return (n + 1) & 2 ? -turned : turned;
}

/** sin x within 1e-15 of 1, for |x| up to a million. */
export function sin(x: number): number {
  const n = quadrants(x);
  const r = reduced(x, n);
  const turned = n & 1 ? cosine(r) : sine(r);
  return n & 2 ? -turned : turned;
}

/** tanh x within 2e-15, by (eᵗ-1)/(eᵗ+1) of t = 2|x|. */
export function tanh(x: number): number {
  const t = 2 * Math.abs(x);
  if (!(t > 0)) return x; // 0, -0 and NaN
  const e = t < 1 ? lessOne(t) : exp(t) - 1;
  const value = e === Infinity ? 1 : e / (e + 2);
  return x < 0 ? -value : value;
}

/** erf x within 3e-15: up to 2.5 its Kummer series, above that 1 less the continued fraction of erfc. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (!(a > 0)) return x; // 0, -0 and NaN
  const value = a < 2.5 ? series(a) : a < 6 ? 1 - fraction(a) : 1;
  return x < 0 ? -value : value;
}

// erf x = 2/√π · e^(-x²) · Σ 2ⁿ x²ⁿ⁺¹ / (2n+1)!!, whose terms are all positive.
function series(x: number): number {
  const x2 = x * x;
  let [term, sum] = [x, x];
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * x2) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * exp(-x2) * sum;
}

// erfc x = e^(-x²)/√π / (x + (1/2)/(x + (2/2)/(x + (3/2)/(x + ...)))).
function fraction(x: number): number {
  let below = x;
  for (let n = 60; n >= 1; n--) below = x + n / 2 / below;
  return exp(-x * x) / (Math.sqrt(Math.PI) * below);
}

// eᵗ - 1 for 0 < t < 1 by its Taylor series, which avoids cancellation.
function lessOne(t: number): number {
  let sum = 1;
  for (let n = 20; n >= 2; n--) sum = 1 + (sum * t) / n;
  return t * sum;
}

function quadrants(x: number): number {
  return Math.round((x * 2) / Math.PI);
}

function reduced(x: number, n: number): number {
  return x - n * HALF_PI_HIGH - n * HALF_PI_MIDDLE - n * HALF_PI_LOW;
}

// Taylor series for |r| up to π/4.
function sine(r: number): number {
  const z = r * r;
  const tail = z * (-1 / 39916800 + z * (1 / 6227020800 + z * (-1 / 1307674368000 + z / 355687428096000)));
  return r + r * z * (-1 / 6 + z * (1 / 120 + z * (-1 / 5040 + z * (1 / 362880 + tail))));
}

function cosine(r: number): number {
  const z = r * r;
  const tail = z * (-1 / 3628800 + z * (1 / 479001600 + z * (-1 / 87178291200 + z / 20922789888000)));
  return 1 - (z / 2 - z * z * (1 / 24 + z * (-1 / 720 + z * (1 / 40320 + tail))));
}

function power2(k: number): number {
  bits.setInt32(0, (k + 1023) << 20);
  bits.setInt32(4, 0);
  return bits.getFloat64(0);
}

/** The normal distribution truncated to an interval, computed with logarithms for precision far from its mean. */
import { erf, exp, log } from "../math/math.ts";

const HALF_LOG_TWO_PI = 0.9189385332046727;

/** Returns ln(1 + x) for x > -1, precise also for tiny x. */
function log1p(x: number): number {
  if (Math.abs(x) > 1e-3) return log(1 + x);
  return x * (1 - x * (1 / 2 - x * (1 / 3 - x * (1 / 4 - x * (1 / 5 - x / 6)))));
}

/** ln(1 - eˣ) for x < 0. */
function log1mexp(x: number): number {
  if (x < -0.01) return log1p(-exp(x));
  return log(-x * (1 + x * (1 / 2 + x * (1 / 6 + x * (1 / 24 + x * (1 / 120 + x / 720))))));
}

/** Returns ln Φ(x), where Φ is the cumulative standard normal distribution. */
function logCumulative(x: number): number {
  const a = Math.abs(x) * Math.SQRT1_2;
  if (a < 2.5) return log(0.5 * (1 + erf(x * Math.SQRT1_2)));
  // erfc a = e^(-a²)/√π / (a + (1/2)/(a + (2/2)/(a + ...))).
  let below = a;
  for (let n = 60; n >= 1; n--) below = a + n / 2 / below;
  const tail = -a * a - log(2 * Math.sqrt(Math.PI) * below);
  return x < 0 ? tail : log1p(-exp(tail));
}

/** ln(Φ(b) - Φ(a)) for a < b. */
export function logNormalMass(a: number, b: number): number {
  if (a > 0) return logNormalMass(-b, -a);
  if (b <= 0) {
    const most = logCumulative(b);
    return most + log1mexp(logCumulative(a) - most);
  }
  return log1p(-exp(logCumulative(a)) - exp(logCumulative(-b)));
}

/** Returns the log density of the standard normal distribution. */
export function logNormalDensity(x: number): number {
  return -0.5 * x * x - HALF_LOG_TWO_PI;
}

/** Returns the quantile q of the standard normal distribution truncated to [a, b]. */
export function truncatedQuantile(q: number, a: number, b: number): number {
  const mass = logNormalMass(a, b);
  const below = logSum(logCumulative(a), log(q) + mass);
  // In the upper half, computes from the other side, since ln Φ is flat there.
  if (a >= 0 || below > -Math.LN2) {
    return clip(-inverse(logSum(logCumulative(-b), log(1 - q) + mass), -b, -a), a, b);
  }
  return clip(inverse(below, a, b), a, b);
}

const clip = (x: number, low: number, high: number): number => Math.min(high, Math.max(low, x));

function logSum(a: number, b: number): number {
  const [most, least] = a > b ? [a, b] : [b, a];
  return most === -Infinity ? most : most + log1p(exp(least - most));
}

/** Returns the x with ln Φ(x) = y, by Newton's method, with bisection when a step leaves the bracket. */
function inverse(y: number, from: number, to: number): number {
  let [low, high] = [from, to];
  let x = clip(0, low, high);
  for (let turn = 0; turn < 200; turn++) {
    const value = logCumulative(x);
    const error = value - y;
    if (error > 0) high = x;
    else low = x;
    const next = x - error / exp(logNormalDensity(x) - value);
    const stays = next > low && next < high;
    const moved = stays ? next : (low + high) / 2;
    if (Math.abs(moved - x) <= 1e-14 * Math.max(1, Math.abs(x))) return moved;
    x = moved;
  }
  return x;
}

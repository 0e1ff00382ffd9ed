/** Matrix decompositions on row-major float64 arrays, for initialisations and merging on the host. */
import { createRandom } from "./random.ts";
import { transposeMatrix } from "./transpose.ts";

/** Matrices up to this size are decomposed as a whole, by Jacobi rotations. */
const WHOLE = 96;

/** A residual below this share of the largest singular value counts as converged. */
const CONVERGED = 1e-11;

/** W = Q R with Q [rows, k], R [k, columns], k the smaller side, by Householder reflections as LAPACK does. */
export function qr(w: Float64Array, rows: number, columns: number): Readonly<{ q: Float64Array; r: Float64Array }> {
  const k = Math.min(rows, columns);
  const a = Float64Array.from(w);
  const at = (i: number, j: number): number => a[i * columns + j] ?? 0;
  const factors = new Float64Array(k);
  for (let c = 0; c < k; c++) {
    let norm = 0;
    for (let i = c; i < rows; i++) norm += at(i, c) ** 2;
    norm = Math.sqrt(norm);
    const head = at(c, c);
    if (norm === 0) continue;
    const beta = head > 0 ? -norm : norm;
    factors[c] = (beta - head) / beta;
    for (let i = c + 1; i < rows; i++) a[i * columns + c] = at(i, c) / (head - beta);
    a[c * columns + c] = beta;
    for (let j = c + 1; j < columns; j++) {
      let sum = at(c, j);
      for (let i = c + 1; i < rows; i++) sum += at(i, c) * at(i, j);
      sum *= factors[c] ?? 0;
      a[c * columns + j] = at(c, j) - sum;
      for (let i = c + 1; i < rows; i++) a[i * columns + j] = at(i, j) - sum * at(i, c);
    }
  }
  const r = new Float64Array(k * columns);
  for (let i = 0; i < k; i++) for (let j = i; j < columns; j++) r[i * columns + j] = at(i, j);
  const q = new Float64Array(rows * k);
  for (let i = 0; i < k; i++) q[i * k + i] = 1;
  for (let c = k - 1; c >= 0; c--) {
    for (let j = c; j < k; j++) {
      let sum = q[c * k + j] ?? 0;
      for (let i = c + 1; i < rows; i++) sum += at(i, c) * (q[i * k + j] ?? 0);
      sum *= factors[c] ?? 0;
      q[c * k + j] = (q[c * k + j] ?? 0) - sum;
      for (let i = c + 1; i < rows; i++) q[i * k + j] = (q[i * k + j] ?? 0) - sum * at(i, c);
    }
  }
  return { q, r };
}

/** The largest singular triplets: `u` [count, rows], `s` [count] in descending order, `v` [count, columns]. */
export type Singular = Readonly<{ u: Float64Array; s: Float64Array; v: Float64Array }>;

/**
 * Returns the `count` largest singular values of W [rows, columns] with their vectors: by Jacobi rotations for small
 * matrices, by Lanczos bidiagonalisation with full reorthogonalisation for large ones.
 */
export function topSingular(w: Float64Array, rows: number, columns: number, count: number): Singular {
  if (rows < columns) {
    const { u, s, v } = topSingular(transposeMatrix(w, rows, columns), columns, rows, count);
    return { u: v, s, v: u };
  }
  return columns <= WHOLE || count > columns / 3 ? jacobi(w, rows, columns, count) : lanczos(w, rows, columns, count);
}

// One-sided: columns of W are rotated until all are orthogonal; their lengths are the singular values.
function jacobi(w: Float64Array, rows: number, columns: number, count: number): Singular {
  const a = transposeMatrix(w, rows, columns); // its rows are W's columns
  const v = new Float64Array(columns * columns);
  for (let i = 0; i < columns; i++) v[i * columns + i] = 1;
  const rotate = (m: Float64Array, width: number, p: number, q: number, c: number, s: number): void => {
    for (let i = 0, x = p * width, y = q * width; i < width; i++, x++, y++) {
      const [mx, my] = [m[x] ?? 0, m[y] ?? 0];
      m[x] = c * mx - s * my;
      m[y] = s * mx + c * my;
    }
  };
  for (let sweep = 0, turned = true; turned && sweep < 60; sweep++) {
    turned = false;
    for (let p = 0; p < columns - 1; p++) {
      for (let q = p + 1; q < columns; q++) {
        let [alpha, beta, gamma] = [0, 0, 0];
        for (let i = 0, x = p * rows, y = q * rows; i < rows; i++, x++, y++) {
          const [ax, ay] = [a[x] ?? 0, a[y] ?? 0];
          alpha += ax * ax;
          beta += ay * ay;
          gamma += ax * ay;
        }
        if (Math.abs(gamma) <= 1e-15 * Math.sqrt(alpha * beta) || gamma === 0) continue;
        turned = true;
        const zeta = (beta - alpha) / (2 * gamma);
        const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const c = 1 / Math.sqrt(1 + t * t);
        rotate(a, rows, p, q, c, c * t);
        rotate(v, columns, p, q, c, c * t);
      }
    }
  }
  const lengths = Float64Array.from({ length: columns }, (_, j) => length(a.subarray(j * rows, (j + 1) * rows)));
  const order = [...lengths.keys()].sort((i, j) => (lengths[j] ?? 0) - (lengths[i] ?? 0)).slice(0, count);
  const u = new Float64Array(count * rows);
  const right = new Float64Array(count * columns);
  order.forEach((j, k) => {
    const s = lengths[j] ?? 0;
    if (s > 0) u.set(a.subarray(j * rows, (j + 1) * rows).map((x) => x / s), k * rows);
    right.set(v.subarray(j * columns, (j + 1) * columns), k * columns);
  });
  return { u, s: Float64Array.from(order, (j) => lengths[j] ?? 0), v: right };
}

function lanczos(w: Float64Array, rows: number, columns: number, count: number): Singular {
  const random = createRandom(1).fork("lanczos");
  const us: Float64Array[] = [];
  const vs: Float64Array[] = [];
  const diagonal: number[] = [];
  const above: number[] = []; // above[k] = bidiagonal [k, k + 1]
  const start = (k: number): Float64Array => {
    const fork = random.fork(k);
    return normalized(orthogonalized(Float64Array.from({ length: columns }, (_, i) => fork.normal(i)), vs));
  };
  let v = start(0);
  let scale = 0;
  let nextCheck = 2 * count;
  for (let k = 0; k < columns; k++) {
    vs.push(v);
    const u = orthogonalized(times(w, rows, columns, v), us);
    const alpha = length(u);
    scale = Math.max(scale, alpha);
    diagonal.push(alpha);
    us.push(alpha > 1e-14 * scale ? u.map((x) => x / alpha) : new Float64Array(rows));
    const next = orthogonalized(timesTransposed(w, rows, columns, us[k] as Float64Array), vs);
    const beta = length(next);
    const done = k + 1 >= columns;
    const checks = k + 1 >= nextCheck;
    if (checks) nextCheck = Math.ceil(1.25 * nextCheck);
    if (done || checks || beta <= 1e-14 * scale) {
      const small = bidiagonal(diagonal, above);
      const decomposition = jacobi(small, k + 1, k + 1, Math.min(count, k + 1));
      const residual = Math.max(
        ...Array.from(decomposition.s, (_, j) => Math.abs(beta * (decomposition.u[j * (k + 1) + k] ?? 0))),
      );
      if (done || (k + 1 >= count && residual <= CONVERGED * (decomposition.s[0] ?? 0))) {
        return {
          u: combined(decomposition.u, us, rows),
          s: decomposition.s,
          v: combined(decomposition.v, vs, columns),
        };
      }
    }
    // The Krylov space is exhausted: continue from a new direction.
    if (beta <= 1e-14 * scale) {
      above.push(0);
      v = start(k + 1);
    } else {
      above.push(beta);
      v = next.map((x) => x / beta);
    }
  }
  return jacobi(w, rows, columns, count);
}

function bidiagonal(diagonal: readonly number[], above: readonly number[]): Float64Array {
  const n = diagonal.length;
  const b = new Float64Array(n * n);
  diagonal.forEach((value, i) => {
    b[i * n + i] = value;
    if (i + 1 < n) b[i * n + i + 1] = above[i] ?? 0;
  });
  return b;
}

function combined(weights: Float64Array, basis: readonly Float64Array[], width: number): Float64Array {
  const n = basis.length;
  const count = weights.length / n;
  const out = new Float64Array(count * width);
  for (let c = 0; c < count; c++) {
    basis.forEach((vector, k) => {
      const factor = weights[c * n + k] ?? 0;
      for (let i = 0; i < width; i++) out[c * width + i] = (out[c * width + i] ?? 0) + factor * (vector[i] ?? 0);
    });
  }
  return out;
}

// Orthogonalizes x against a basis by two passes of Gram-Schmidt; twice is enough (Kahan).
function orthogonalized(x: Float64Array, basis: readonly Float64Array[]): Float64Array {
  for (let pass = 0; pass < 2; pass++) {
    for (const b of basis) {
      let dot = 0;
      for (let i = 0; i < x.length; i++) dot += (x[i] ?? 0) * (b[i] ?? 0);
      for (let i = 0; i < x.length; i++) x[i] = (x[i] ?? 0) - dot * (b[i] ?? 0);
    }
  }
  return x;
}

function normalized(x: Float64Array): Float64Array {
  const n = length(x);
  return x.map((value) => value / n);
}

function length(x: Float64Array): number {
  let total = 0;
  for (let i = 0; i < x.length; i++) total += (x[i] ?? 0) ** 2;
  return Math.sqrt(total);
}

function times(w: Float64Array, rows: number, columns: number, x: Float64Array): Float64Array {
  const out = new Float64Array(rows);
  for (let i = 0, at = 0; i < rows; i++) {
    let sum = 0;
    for (let j = 0; j < columns; j++, at++) sum += (w[at] ?? 0) * (x[j] ?? 0);
    out[i] = sum;
  }
  return out;
}

function timesTransposed(w: Float64Array, rows: number, columns: number, x: Float64Array): Float64Array {
  const out = new Float64Array(columns);
  for (let i = 0, at = 0; i < rows; i++) {
    const factor = x[i] ?? 0;
    for (let j = 0; j < columns; j++, at++) out[j] = (out[j] ?? 0) + factor * (w[at] ?? 0);
  }
  return out;
}

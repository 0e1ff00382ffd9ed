/**
 * The kernels as plain loops, for hosts without WebAssembly SIMD: the same operations in the same order and precision.
 */
import { philox4x32 } from "../math/random.ts";
import { type AdamFactors, adamKernels, type AllKernels, dropThreshold } from "./shared.ts";

const f = Math.fround;

function scale(x: Float32Array, factor: number): void {
  for (let i = 0; i < x.length; i++) x[i] = f((x[i] ?? 0) * f(factor));
}

function sumOfSquares(x: Float32Array): number {
  const lanes = [0, 0, 0, 0];
  const end = x.length - (x.length % 4);
  for (let i = 0; i < end; i++) lanes[i % 4] = (lanes[i % 4] ?? 0) + (x[i] ?? 0) * (x[i] ?? 0);
  let sum = lanes.reduce((a, b) => a + b, 0);
  for (let i = end; i < x.length; i++) sum += (x[i] ?? 0) * (x[i] ?? 0);
  return sum;
}

/** All kernels, without WebAssembly. */
export const fallbackKernels: AllKernels = {
  ...adamKernels(({ parameter: p, gradient: g, state: { m, v } }, start, count, factors) => {
    const [scale, beta1, gain1, beta2, gain2, keep, l2, rate, root, epsilon] = rounded(factors);
    for (let i = start; i < start + count; i++) {
      const w = p[i] ?? 0;
      let d = f((g[i] ?? 0) * scale);
      if (l2 !== 0) d = f(d + f(w * l2));
      const a = m[i] = f(f((m[i] ?? 0) * beta1) + f(d * gain1));
      const b = v[i] = f(f((v[i] ?? 0) * beta2) + f(f(d * d) * gain2));
      p[i] = f(f(w * keep) - f(f(a * rate) / f(f(f(Math.sqrt(b)) * root) + epsilon)));
    }
  }),
  sgd: ({ parameter: p, gradient: g, state: { momentum: b } }, o) => {
    const [S, L, M, G, R] = [
      f(o.gradientScale),
      f(o.weightDecay),
      f(o.momentum),
      f(1 - o.dampening),
      f(o.learningRate),
    ];
    for (let i = 0; i < p.length; i++) {
      const w = p[i] ?? 0;
      let d = f(f((g[i] ?? 0) * S) + f(L * w));
      if (M !== 0) {
        const m = b[i] = o.step === 1 ? d : f(f((b[i] ?? 0) * M) + f(d * G));
        d = o.nesterov ? f(d + f(M * m)) : m;
      }
      p[i] = f(w - f(R * d));
    }
  },
  sumOfSquares,
  unscale: (x, factor) => {
    const finite = x.every(Number.isFinite);
    scale(x, factor);
    return finite ? sumOfSquares(x) : NaN;
  },
  scale,
  axpy: (y, a, x) => {
    for (let i = 0; i < x.length; i++) y[i] = f((y[i] ?? 0) + f((x[i] ?? 0) * f(a)));
  },
  scatterAddRows: (table, rows, values, width) => {
    rows.forEach((row, i) => {
      if (row < 0) return;
      for (let j = 0; j < width; j++) {
        table[row * width + j] = f((table[row * width + j] ?? 0) + (values[i * width + j] ?? 0));
      }
    });
  },
  dropoutRows: (out, places, width, p, key, site) => {
    for (let i = 0; i < places.length / 2; i++) {
      const sequence = places[2 * i] ?? -1;
      const row = out.subarray(i * width, (i + 1) * width);
      if (sequence < 0) row.fill(1);
      else maskRow(row, p, places[2 * i + 1] ?? 0, sequence, site, key);
    }
  },
  dropoutAttention: (out, queryPlaces, keyPlaces, heads, queries, keys, p, key, site) => {
    for (let b = 0; b < keyPlaces.length / 2 / keys; b++) {
      for (let q = 0; q < queries; q++) {
        const place = 2 * (b * queries + q);
        const sequence = queryPlaces[place] ?? -1;
        if (sequence < 0) continue;
        const rows: number[] = [];
        for (let k = 0; k < keys; k++) if (keyPlaces[2 * (b * keys + k)] === sequence) rows.push(k);
        for (let h = 0; h < heads; h++) {
          const start = ((b * heads + h) * queries + q) * keys + (rows[0] ?? 0);
          maskRow(
            out.subarray(start, start + rows.length),
            p,
            (queryPlaces[place + 1] ?? 0) * heads + h,
            sequence,
            site,
            key,
          );
        }
      }
    }
  },
};

function rounded(factors: AdamFactors): AdamFactors {
  const [scale, beta1, gain1, beta2, gain2, keep, l2, rate, root, epsilon] = factors;
  return [f(scale), f(beta1), f(gain1), f(beta2), f(gain2), f(keep), f(l2), f(rate), f(root), f(epsilon)];
}

// Same as maskRows of the WebAssembly kernels: counters 4k to 4k+3 give values 32k to 32k+31. Value i uses counter
// i mod 4, its word i div 8, and of that word the lower half, or the upper half if i div 4 is odd.
function maskRow(
  out: Float32Array,
  p: number,
  c1: number,
  c2: number,
  c3: number,
  key: readonly [number, number],
): void {
  const [threshold, keep] = [dropThreshold(p), f(1 / (1 - p))];
  for (let start = 0; start < out.length; start += 32) {
    const blocks = [0, 1, 2, 3].map((k) => philox4x32([start / 8 + k, c1, c2, c3], key));
    for (let i = 0; i < Math.min(32, out.length - start); i++) {
      const bits = blocks[i & 3]?.[i >> 3] ?? 0;
      const value = (i >> 2) & 1 ? bits >>> 16 : bits & 0xffff;
      out[start + i] = value >= threshold ? keep : 0;
    }
  }
}

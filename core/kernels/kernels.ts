/** interim */
import type { Kernels } from "../types.ts";
export interface KernelMemory {
  readonly buffer: ArrayBuffer;
  readonly kernels: Kernels & {
    dropoutRows(out: Float32Array, places: Int32Array, width: number, p: number, key: readonly [number, number], site: number): void;
    dropoutAttention(out: Float32Array, q: Int32Array, k: Int32Array, heads: number, queries: number, keys: number, p: number, key: readonly [number, number], site: number): void;
  };
  alloc(length: number): Float32Array;
  allocI32(length: number): Int32Array;
  reset(): void;
  used(): number;
}
export async function createMemory(bytes: number, _o?: { module?: WebAssembly.Module | undefined }): Promise<KernelMemory> {
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536) });
  const buffer = memory.buffer;
  let at = 0;
  const take = (n: number): number => { const p = Math.ceil(at / 64) * 64; at = p + n; if (at > buffer.byteLength) throw new RangeError(`full ${at} of ${buffer.byteLength}`); return p; };
  return {
    buffer,
    alloc: (n) => new Float32Array(buffer, take(4 * n), n),
    allocI32: (n) => new Int32Array(buffer, take(4 * n), n),
    reset: () => { at = 0; },
    used: () => at,
    kernels: {
      adamw: ({ parameter: p, gradient: g, state: { m, v } }, o) => {
        const c1 = 1 - o.beta1 ** o.step, c2 = Math.sqrt(1 - o.beta2 ** o.step);
        for (let i = 0; i < p.length; i++) {
          const d = (g[i] ?? 0) * o.gradientScale;
          const mi = (m[i] = o.beta1 * (m[i] ?? 0) + (1 - o.beta1) * d);
          const vi = (v[i] = o.beta2 * (v[i] ?? 0) + (1 - o.beta2) * d * d);
          p[i] = (p[i] ?? 0) * (1 - o.learningRate * o.weightDecay) - (o.learningRate / c1) * mi / (Math.sqrt(vi) / c2 + o.epsilon);
        }
      },
      sgd: () => { throw new Error("interim"); },
      sumOfSquares: (x) => { let s = 0; for (const y of x) s += y * y; return s; },
      scale: (x, f) => { for (let i = 0; i < x.length; i++) x[i] = (x[i] ?? 0) * f; },
      axpy: (y, a, x) => { for (let i = 0; i < x.length; i++) y[i] = (y[i] ?? 0) + a * (x[i] ?? 0); },
      scatterAddRows: () => { throw new Error("interim"); },
      dropoutRows: (out) => { out.fill(1); },
      dropoutAttention: (out) => { out.fill(1); },
    },
  };
}

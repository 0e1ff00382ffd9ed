/**
 * One memory and the kernels over it: WebAssembly SIMD, or plain loops with the same bits where there is none.
 * @module
 */
import { refused } from "../errors.ts";
import type { Kernels } from "../types.ts";
import { fallbackKernels } from "./fallback.ts";
import { adamRates, type DropoutKernels, dropThreshold } from "./shared.ts";

export type { DropoutKernels } from "./shared.ts";

/** Memory that kernels and the runtime share. It never grows, since that would detach every view. */
export interface KernelMemory {
  readonly buffer: ArrayBuffer;
  readonly kernels: Kernels & DropoutKernels;
  /** `length` zeroed floats on a 64-byte boundary. Throws AttuneError (refused) where they do not fit. */
  alloc(length: number): Float32Array;
  allocI32(length: number): Int32Array;
  /** Takes everything back; contents stay until they are overwritten. */
  reset(): void;
  used(): number;
}

/** How a memory is made. `module`: the compiled kernels, where bytes may not be compiled; `fallback`: plain loops. */
export type MemoryOptions = Readonly<{ module?: WebAssembly.Module | undefined; fallback?: boolean }>;

type Exports = Readonly<Record<string, (...args: number[]) => number>>;

const PAGE = 65536;
const MAX_PAGES = 65536;
const ALIGN = 64;
/** Bytes kept for the kernels: where rows are cut. */
const SCRATCH = 256;

let compiled: Promise<WebAssembly.Module | undefined> | undefined;

/**
 * A memory of at least `bytes`.
 *
 * @throws AttuneError (refused) above 4 GiB, which one WebAssembly memory cannot hold.
 */
export async function createMemory(bytes: number, options: MemoryOptions = {}): Promise<KernelMemory> {
  const pages = Math.ceil((bytes + SCRATCH + ALIGN) / PAGE);
  if (pages > MAX_PAGES) {
    throw refused(
      "engine",
      `What trains takes ${
        (bytes / 2 ** 30).toFixed(1)
      } GiB, and one memory holds 4 GiB: train an adapter, or fewer layers`,
    );
  }
  const module = options.fallback ? undefined : options.module ?? await (compiled ??= compile());
  const memory = module && new WebAssembly.Memory({ initial: pages });
  const buffer = memory ? memory.buffer : new ArrayBuffer(pages * PAGE);
  let at = SCRATCH;
  const take = (size: number): number => {
    const start = Math.ceil(at / ALIGN) * ALIGN;
    if (start + size > buffer.byteLength) {
      throw refused("engine", `${size} bytes more do not fit: ${at} of ${buffer.byteLength} bytes are taken`);
    }
    at = start + size;
    return start;
  };
  return {
    buffer,
    kernels: memory
      ? wasmKernels((await WebAssembly.instantiate(module, { env: { memory, abort } })).exports as unknown as Exports)
      : fallbackKernels,
    alloc: (length) => new Float32Array(buffer, take(4 * length), length),
    allocI32: (length) => new Int32Array(buffer, take(4 * length), length),
    reset: () => (at = SCRATCH),
    used: () => at,
  };
}

async function compile(): Promise<WebAssembly.Module | undefined> {
  try {
    const { base64 } = await import("./bytes.ts");
    return await WebAssembly.compile(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
  } catch {
    return undefined; // no WebAssembly, or no SIMD
  }
}

function abort(): never {
  throw new Error("A kernel was aborted");
}

function wasmKernels(x: Exports): Kernels & DropoutKernels {
  const call = (name: string, ...args: number[]): number => x[name]?.(...args) ?? NaN;
  return {
    adamw: ({ parameter, gradient, state: { m, v } }, o) => {
      const { rate, root } = adamRates(o);
      const keep = 1 - o.learningRate * o.weightDecay;
      call(
        "adamw",
        parameter.byteOffset,
        gradient.byteOffset,
        m.byteOffset,
        v.byteOffset,
        parameter.length,
        o.gradientScale,
        o.beta1,
        1 - o.beta1,
        o.beta2,
        1 - o.beta2,
        keep,
        rate,
        root,
        o.epsilon,
      );
    },
    sgd: ({ parameter, gradient, state: { momentum } }, o) =>
      void call(
        "sgd",
        parameter.byteOffset,
        gradient.byteOffset,
        momentum.byteOffset,
        parameter.length,
        o.gradientScale,
        o.weightDecay,
        o.momentum,
        1 - o.dampening,
        o.learningRate,
        Number(o.step === 1),
        Number(o.nesterov),
      ),
    sumOfSquares: (a) => call("sumOfSquares", a.byteOffset, a.length),
    scale: (a, factor) => void call("scale", a.byteOffset, a.length, factor),
    axpy: (y, a, b) => void call("axpy", y.byteOffset, a, b.byteOffset, b.length),
    scatterAddRows: (table, rows, values, width) =>
      void call("scatterAddRows", table.byteOffset, rows.byteOffset, values.byteOffset, rows.length, width),
    dropoutRows: (out, places, width, p, [k0, k1], site) =>
      void call(
        "dropoutRows",
        out.byteOffset,
        places.byteOffset,
        places.length / 2,
        width,
        dropThreshold(p),
        1 / (1 - p),
        k0,
        k1,
        site,
        0,
      ),
    dropoutAttention: (out, queryPlaces, keyPlaces, heads, queries, keys, p, [k0, k1], site) =>
      void call(
        "dropoutAttention",
        out.byteOffset,
        queryPlaces.byteOffset,
        keyPlaces.byteOffset,
        keyPlaces.length / 2 / keys,
        heads,
        queries,
        keys,
        dropThreshold(p),
        1 / (1 - p),
        k0,
        k1,
        site,
        0,
      ),
  };
}

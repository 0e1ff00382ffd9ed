/** One memory and the kernels over it: WebAssembly SIMD, or plain loops with the same results to the bit. */
import { badValue, refused } from "../base/errors.ts";
import type { Kernels } from "../types.ts";
import { guardKernels } from "./guard.ts";
import type { DropoutKernels } from "./shared.ts";
import { SCRATCH, wasmKernels } from "./wasm.ts";

export type { DropoutKernels } from "./shared.ts";

/** Memory that kernels and the runtime share. It never grows, since that would detach every view. */
export interface KernelMemory {
  readonly buffer: ArrayBuffer;
  readonly kernels: Kernels & DropoutKernels;
  /** Whether the kernels are WebAssembly, not plain loops. */
  readonly simd: boolean;
  /** Allocates `length` floats, 64-byte aligned, zero unless reused. Throws AttuneError (refused) if out of memory. */
  alloc(length: number): Float32Array;
  /** Allocates `length` integers in the same way. */
  allocI32(length: number): Int32Array;
  /** Frees everything; contents stay until they are overwritten. */
  reset(): void;
  /** Returns the number of allocated bytes. */
  used(): number;
}

/** Options of a memory. `module`: compiled kernels, for hosts that cannot compile bytes; `fallback`: plain loops. */
export type MemoryOptions = Readonly<{ module?: WebAssembly.Module | undefined; fallback?: boolean }>;

const PAGE = 65536;
const MAX_PAGES = 65536;
const ALIGN = 64;

let compiled: Promise<WebAssembly.Module | undefined> | undefined;

/**
 * Creates a memory of at least `bytes` bytes, and the kernels over it.
 *
 * @throws AttuneError (refused) above 4 GiB, the limit of one WebAssembly memory, or if the host cannot allocate it;
 * (BAD_VALUE) if `bytes` is not a number of bytes.
 */
export async function createMemory(bytes: number, options: MemoryOptions = {}): Promise<KernelMemory> {
  if (!(bytes >= 0)) throw badValue("engine", "bytes", bytes, "a number of bytes");
  const pages = Math.ceil((bytes + SCRATCH + ALIGN) / PAGE);
  if (pages > MAX_PAGES) {
    throw refused(
      "engine",
      `Training state takes ${
        (bytes / 2 ** 30).toFixed(1)
      } GiB, but only 4 GiB fit into one memory: train an adapter, or fewer layers`,
    );
  }
  const module = options.fallback ? undefined : options.module ?? await (compiled ??= compile());
  const memory = module && reserved(pages, () => new WebAssembly.Memory({ initial: pages }));
  const buffer = memory ? memory.buffer : reserved(pages, () => new ArrayBuffer(pages * PAGE));
  // The memory is never shared; this check only narrows the type.
  if (!(buffer instanceof ArrayBuffer)) throw refused("engine", "The memory of the kernels is shared");
  const kernels = memory ? await wasmKernels(module, memory) : (await import("./fallback.ts")).fallbackKernels;
  let at = SCRATCH;
  const take = (length: number): number => {
    if (!Number.isInteger(length) || length < 0) throw badValue("engine", "length", length, "a number of values");
    const start = Math.ceil(at / ALIGN) * ALIGN;
    if (start + 4 * length > buffer.byteLength) {
      throw refused("engine", `${4 * length} more bytes do not fit: ${at} of ${buffer.byteLength} bytes are in use`);
    }
    at = start + 4 * length;
    return start;
  };
  return {
    buffer,
    kernels: guardKernels(buffer, kernels),
    simd: memory !== undefined,
    alloc: (length) => new Float32Array(buffer, take(length), length),
    allocI32: (length) => new Int32Array(buffer, take(length), length),
    reset: () => {
      at = SCRATCH;
    },
    used: () => at,
  };
}

function reserved<T>(pages: number, make: () => T): T {
  try {
    return make();
  } catch {
    throw refused("engine", `The host cannot allocate ${((pages * PAGE) / 2 ** 30).toFixed(2)} GiB in one piece`);
  }
}

async function compile(): Promise<WebAssembly.Module | undefined> {
  try {
    const { base64 } = await import("./bytes.ts");
    return await WebAssembly.compile(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)));
  } catch {
    return undefined; // no WebAssembly, or no SIMD
  }
}

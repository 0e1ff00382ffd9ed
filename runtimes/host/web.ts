/**
 * A host for every runtime with web standards, over onnxruntime-web: browsers, workers and others.
 * @module
 */
import type { Host, Ort, Store } from "../../core/types.ts";
import { encoderIn, type EncoderWorker } from "./web_encoder.ts";

export { encodeForPage } from "./web_encoder.ts";

/** Options of a web host. */
export type WebOptions = Readonly<{
  /** An onnxruntime-web module, configured by the caller; absent: the host cannot compute. */
  lib?: Ort;
  provider?: "wasm" | "webgpu";
  runtime?: Host["runtime"];
  /** Stores by path, for checkpoints and rows. */
  directory?: Host["directory"];
  /** The files of `attune:base`. */
  base?: Store;
  /** The kernels as a compiled module, for platforms that do not allow compiling bytes. */
  kernels?: WebAssembly.Module;
  /** Bytes that a run may take; a WebAssembly address space has 4 GiB. */
  memoryBytes?: number;
  /** Starts a worker that encodes rows in parallel with training; its script calls `encodeForPage`. */
  encoder?: () => EncoderWorker;
}>;

/**
 * A host over onnxruntime-web.
 *
 * @example
 * ```ts
 * import * as lib from "onnxruntime-web";
 * import { web } from "attune/web";
 * console.assert(web({ lib: lib as never }).provider === "wasm");
 * ```
 */
export function web(options: WebOptions): Host {
  const { lib, provider = "wasm", runtime = "browser", directory, base, kernels, memoryBytes = 2 ** 32, encoder } =
    options;
  return {
    runtime,
    provider,
    ...(lib ? { lib } : {}),
    env: {},
    fetch: (input, init) => fetch(input, init),
    clock: {
      now: () => performance.now(),
      sleep: (ms) => new Promise((done) => setTimeout(done, ms)),
    },
    ...(directory ? { directory } : {}),
    ...(base ? { base } : {}),
    ...(kernels ? { kernels } : {}),
    memoryBytes,
    ...(encoder ? { startEncoder: encoderIn(encoder) } : {}),
  };
}

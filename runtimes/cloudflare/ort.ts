/** onnxruntime-web in workerd, where bytes may not be compiled: its WebAssembly comes as a compiled module. */
import * as lib from "onnxruntime-web/wasm";
import type { Ort } from "../../core/types.ts";

/** Returns onnxruntime-web over a compiled `ort-wasm-simd-threaded.wasm`, with one thread, all that a Worker has. */
export function workersOrt(module: WebAssembly.Module): Ort {
  // The library expects bytes to compile. These are a placeholder, for which it gets the compiled module.
  const bytes = new ArrayBuffer(8);
  const instantiate = WebAssembly.instantiate.bind(WebAssembly) as (...given: unknown[]) => Promise<unknown>;
  const answered = async (source: unknown, imports: WebAssembly.Imports): Promise<unknown> =>
    ArrayBuffer.isView(source) && source.buffer === bytes
      ? { module, instance: new WebAssembly.Instance(module, imports) }
      : await instantiate(source, imports);
  WebAssembly.instantiate = answered as typeof WebAssembly.instantiate;
  lib.env.wasm.wasmBinary = bytes;
  lib.env.wasm.numThreads = 1;
  lib.env.wasm.proxy = false;
  return lib as unknown as Ort;
}

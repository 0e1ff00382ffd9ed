/** onnxruntime-web in workerd, where bytes may not be compiled: its WebAssembly comes as a compiled module. */
import * as lib from "onnxruntime-web/wasm";
import type { Ort } from "../../core/types.ts";

/** onnxruntime-web over a compiled module of its `ort-wasm-simd-threaded.wasm`; one thread, the only one there is. */
export function workersOrt(module: WebAssembly.Module): Ort {
  // The library wants bytes and compiles them. These stand for the module, and are answered with it.
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

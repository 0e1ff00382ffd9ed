/**
 * Samples of cases for Bun and Deno: of figures that TypeScript's arithmetic and ONNX Runtime's library give alike wherever they
 * run, Node runs all. What a runtime does itself (files, processes, threads, streams, HTTP, WebAssembly) runs whole everywhere.
 * @module
 */
import { thisRuntime } from "../runtimes/host/host.ts";

let asked = 0;

/** All cases on Node; elsewhere every `each`-th, beginning at another one each time and in each runtime, at least one. */
export function sampled<T>(cases: readonly T[], each: number = 3): readonly T[] {
  const runtime = thisRuntime();
  if (runtime === "node" || cases.length === 0) return cases;
  const first = (asked++ + (runtime === "bun" ? 0 : Math.ceil(each / 2))) % Math.min(each, cases.length);
  return cases.filter((_, i) => i % each === first);
}

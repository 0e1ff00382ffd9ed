/**
 * Samples of cases for Bun and Deno: of figures that TypeScript's arithmetic and ONNX Runtime's library give alike wherever they
 * run, Node runs all. What a runtime does itself (files, processes, threads, streams, HTTP, WebAssembly) runs whole everywhere.
 */
import { it } from "node:test";
import { thisRuntime } from "../runtimes/host/host.ts";

let asked = 0;

/** All cases on Node; elsewhere every `each`-th, beginning at another one each time and in each runtime, at least one. */
export function sampled<T>(cases: readonly T[], each: number = 3): readonly T[] {
  const runtime = thisRuntime();
  if (runtime === "node" || cases.length === 0) return cases;
  const first = (asked++ + (runtime === "bun" ? 0 : Math.ceil(each / 2))) % Math.min(each, cases.length);
  return cases.filter((_, i) => i % each === first);
}

/** `it` for tests that show the same wherever they run: all on Node; elsewhere one of so many, where there are as many. */
export function itInPart(each: number = 3): (name: string, test: () => void | Promise<void>) => void {
  const runtime = thisRuntime();
  let at = asked++ + (runtime === "bun" ? 0 : Math.ceil(each / 2));
  return (name, test) => {
    if (runtime === "node" || at++ % each === 0) it(name, test);
  };
}

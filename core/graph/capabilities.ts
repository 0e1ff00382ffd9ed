/**
 * The dtypes that each execution provider has kernels for, per op, from the ops' records. A test compares the CPU's
 * with what a probe (`test/probe.ts`) finds; 16-bit floats are left out, because the CPU computes them through casts.
 */
import type { DType } from "../base/tensor.ts";
import type { Kernels } from "./ops/record.ts";
import { opTable } from "./ops/table.ts";
import type { Op } from "./ops/ops.ts";

/** The dtypes of its first tensor for which each op has a kernel. */
export type Capabilities = { readonly [O in Op]: readonly DType[] };

// onnxruntime's version 1.30; the WebAssembly build has the CPU's kernels.
const cpu = capabilitiesOf("cpu");

/** The capabilities of each provider. Ops that WebGPU lacks fall back to the CPU, which copies their tensors. */
export const capabilities: Readonly<Record<"cpu" | "wasm" | "webgpu" | "cuda", Capabilities>> = {
  cpu,
  wasm: cpu,
  webgpu: capabilitiesOf("webgpu"),
  cuda: cpu,
};

function capabilitiesOf(provider: keyof Kernels): Capabilities {
  const dtypes = Object.entries(opTable).map(([op, { kernels }]) => [op, kernels[provider]]);
  return Object.fromEntries(dtypes) as Capabilities;
}

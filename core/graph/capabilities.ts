/**
 * Which dtypes each execution provider has kernels for, per op, as the ops' records have it. A probe (`test/probe.ts`)
 * makes the CPU's, and a test compares; 16-bit floats are left out, which the CPU computes through casts.
 */
import type { DType } from "../base/tensor.ts";
import type { Kernels } from "./ops/record.ts";
import { opTable } from "./ops/table.ts";
import type { Op } from "./ops/ops.ts";

/** Op → dtypes of its first tensor that have a kernel. */
export type Capabilities = { readonly [O in Op]: readonly DType[] };

// onnxruntime's version 1.30; the WebAssembly build has the CPU's kernels.
const cpu = capabilitiesOf("cpu");

/** By provider. What WebGPU lacks falls back to the CPU, with copies. */
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

/**
 * Which dtypes onnxruntime-node's CPU provider has kernels for, op by op: `node test/probe.ts` prints the table and what
 * differs from core/graph/capabilities.ts.
 *
 * 16-bit floats are not asked about: the provider takes them by casting to float32 and back, which is no kernel.
 */
import process from "node:process";
import { type Capabilities, capabilities } from "../core/graph/capabilities.ts";
import type { Op } from "../core/graph/ops/ops.ts";
import type { DType } from "../core/base/tensor.ts";
import { type Call, callDims, calls, graphOf } from "./core/graph/calls.ts";
import { runOnnx } from "./oracle/runtime.ts";

/** The dtypes that are tried. */
export const probedDtypes: readonly DType[] = ["float32", "int32", "int64", "bool"];

/** Whether the CPU provider runs an op on a dtype. */
export async function hasKernel(op: Op, dtype: DType): Promise<boolean> {
  const { graph, data } = graphOf(op, retyped(op, dtype));
  try {
    await runOnnx(graph, data, callDims);
    return true;
  } catch (error) {
    if (
      error instanceof Error && /NOT_IMPLEMENTED|not find an implementation|is invalid|Type Error/.test(error.message)
    ) {
      return false;
    }
    throw error;
  }
}

/** The table as it is. */
export async function probe(): Promise<Capabilities> {
  const kernels: [string, DType[]][] = [];
  for (const op of Object.keys(capabilities.cpu) as Op[]) {
    const dtypes: DType[] = [];
    for (const dtype of probedDtypes) if (await hasKernel(op, dtype)) dtypes.push(dtype);
    kernels.push([op, dtypes]);
  }
  return Object.fromEntries(kernels) as unknown as Capabilities;
}

/** The first call of an op with its data in another dtype; indices and conditions stay as they are. */
function retyped(op: Op, dtype: DType): Call {
  const call = calls[op][0] as Call;
  const data = call.inputs[op === "Where" ? 1 : 0]?.dtype;
  return { ...call, inputs: call.inputs.map((x) => (x.dtype === data ? { ...x, dtype, value: () => 1 } : x)) };
}

if (import.meta.main) {
  const found = await probe();
  for (const [op, dtypes] of Object.entries(found)) {
    const known = capabilities.cpu[op as Op];
    const note = String(known) === String(dtypes) ? "" : `  (the table says ${known.join(", ") || "none"})`;
    process.stdout.write(`${op}: ${dtypes.join(", ") || "none"}${note}\n`);
  }
}

/** A graph run by onnxruntime-node, through the engine's own lowering and writing. */
import { lower, shapeFeeds } from "../../core/engine/lower/lower.ts";
import type { DimValues } from "../../core/graph/ops/dims.ts";
import type { Graph } from "../../core/graph/graph.ts";
import { writeOnnx } from "../../core/onnx/write.ts";
import type { DType } from "../../core/base/tensor.ts";
import { disableTelemetry } from "../../runtimes/host/telemetry.ts";
import type { Reference } from "../../conformance/oracle/interpreter.ts";

await disableTelemetry();
const { InferenceSession, Tensor } = await import("onnxruntime-node");
type OrtTensor = InstanceType<typeof Tensor>;

/** One result of the runtime. */
export type Result = Readonly<{ dtype: string; dims: readonly number[]; data: Float64Array }>;

/** A graph's outputs as the CPU provider computes them, without graph optimizations. */
export async function runOnnx(
  graph: Graph,
  inputs: Readonly<Record<string, Reference>>,
  dims: DimValues,
): Promise<Record<string, Result>> {
  const { model, feeds, shapes } = lower(graph, () => ({ as: "feed" }));
  const session = await InferenceSession.create(writeOnnx(model), {
    executionProviders: ["cpu"],
    graphOptimizationLevel: "disabled",
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  });
  try {
    const given: Record<string, OrtTensor> = {};
    for (const [name, value] of feeds) {
      const input = inputs[name];
      if (!input) throw new RangeError(`No expected value was given for ${name}`);
      given[name] = tensorOf(value.dtype, input);
    }
    for (const [name, data] of shapeFeeds(shapes, dims)) given[name] = new Tensor("int64", data, [data.length]);
    const results = await session.run(given);
    return Object.fromEntries(
      Object.entries(results).map(([name, tensor]) => [
        name,
        { dtype: tensor.type, dims: tensor.dims, data: Float64Array.from(tensor.data as Float32Array, Number) },
      ]),
    );
  } finally {
    await session.release();
  }
}

/** Values as a tensor of the runtime. */
export function tensorOf(dtype: DType, { dims, data }: Reference): OrtTensor {
  const numbers = Array.from(data);
  switch (dtype) {
    case "float32":
      return new Tensor("float32", Float32Array.from(numbers), dims);
    case "int32":
      return new Tensor("int32", Int32Array.from(numbers), dims);
    case "int64":
      return new Tensor("int64", BigInt64Array.from(numbers, BigInt), dims);
    case "bool":
      return new Tensor("bool", Uint8Array.from(numbers), dims);
    case "uint8":
      return new Tensor("uint8", Uint8Array.from(numbers), dims);
    case "int8":
      return new Tensor("int8", Int8Array.from(numbers), dims);
    default:
      throw new RangeError(`No tensors of ${dtype} here`);
  }
}

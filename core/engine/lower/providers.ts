/** Exceptions of execution providers from standard ONNX. */
import type { Node } from "../../graph/graph.ts";
import type { OnnxNode } from "../../onnx/model.ts";
import type { Provider } from "../../types.ts";
import { float32, type Lowering, simpleNode } from "./context.ts";
import { attributesOf } from "./form.ts";

type Rules = Readonly<{
  /** Returns a better node in place of a node, if there is one; `input`, `output`: the names of its first ones. */
  replace?: (lowering: Lowering, node: Node, input: string, output: string) => OnnxNode | undefined;
  /** Whether products use the CPU's kernels: see `productsInPlace`. */
  usesCpuKernels: boolean;
}>;

/** The rules of each provider. */
export const providerRules: Readonly<Record<Provider, Rules>> = {
  cpu: { usesCpuKernels: true },
  wasm: { usesCpuKernels: true, replace: withoutCast },
  webgpu: { usesCpuKernels: false },
  cuda: { usesCpuKernels: false },
};

// Avoids the WebAssembly build's Cast: one function of half a megabyte, which takes 300 MB and a second to optimise.
function withoutCast(lowering: Lowering, node: Node, input: string, output: string): OnnxNode | undefined {
  if (node.op !== "Cast" || attributesOf(node, "Cast").to !== "float32") return undefined;
  const from = node.inputs[0]?.dtype;
  if (from === "bool") return simpleNode("Where", [input, float32(lowering, 1), float32(lowering, 0)], output);
  if (from === "int32") return simpleNode("DequantizeLinear", [input, float32(lowering, 1)], output);
  return undefined;
}

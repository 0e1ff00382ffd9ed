/** Assembly of the ONNX model of a lowered graph. */
import type { OnnxModel, OnnxNode, OnnxValueInfo } from "../../onnx/model.ts";
import { type Lowering, nameOf } from "./context.ts";
import { productsInPlace } from "./products_in_place.ts";
import { providerRules } from "./providers.ts";

/** Opset 21 and IR 10: the newest that all onnxruntime versions of the last years support. */
const OPSET = 21;
const IR_VERSION = 10;

/** Returns the model of these nodes and of those that decode their weights, which come first. */
export function toModel(lowering: Lowering, nodes: readonly OnnxNode[]): OnnxModel {
  const { graph: { outputs }, provider, casts, again, initializers } = lowering;
  const renamed = identities(lowering);
  const all = [...[...casts.values()].flat(), ...[...again.values()].flat(), ...nodes, ...renamed];
  return {
    irVersion: IR_VERSION,
    opsets: [{ domain: "", version: OPSET }, { domain: "com.microsoft", version: 1 }],
    producer: "attune",
    graph: {
      name: "attune",
      nodes: providerRules[provider].usesCpuKernels ? productsInPlace(all, new Set(outputs.keys())) : all,
      inputs: inputsOf(lowering),
      outputs: [...outputs].map(([name, v]) => ({ name, dtype: v.dtype, dims: v.shape })),
      initializers: [...initializers.values()],
    },
  };
}

// Adds an Identity for each output that is an input, a constant or a second name of a value.
function identities(lowering: Lowering): readonly OnnxNode[] {
  return [...lowering.graph.outputs].flatMap(([name, value]) => {
    const from = nameOf(lowering, value);
    if (from === name) return [];
    return [{ op: "Identity", domain: "", name, inputs: [from], outputs: [name], attributes: {} }];
  });
}

function inputsOf({ feeds, rows, shapes, codes }: Lowering): readonly OnnxValueInfo[] {
  return [
    ...[...feeds].map(([name, { dtype, shape }]) => {
      const count = rows.get(name);
      return { name, dtype, dims: count === undefined ? shape : [count, ...shape.slice(1)] };
    }),
    ...[...codes].map(([name, { dtype, dims }]) => ({ name, dtype, dims })),
    ...[...shapes].map(([name, shape]) => ({ name, dtype: "int64" as const, dims: [shape.length] })),
  ];
}

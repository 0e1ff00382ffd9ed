/** Lowering of a graph to an ONNX model for one execution provider: op forms, node order, and the feeds of the host. */
import { type DimValues, evaluateShape, type Shape } from "../../graph/ops/dims.ts";
import { forwardNodes, type Graph, lossFactorInput, type Node, reachable, type Value } from "../../graph/graph.ts";
import type { OnnxModel } from "../../onnx/model.ts";
import type { Provider } from "../../types.ts";
import { createLowering, type Lowering } from "./context.ts";
import { toModel } from "./model.ts";
import { lowerNode } from "./node.ts";

/**
 * A lowered graph. `feeds`: graph inputs and trained parameters; `shapes`: vectors of sizes, fed from a run's dims;
 * `values`: the values that nodes compute, by name.
 */
export type Lowered = Readonly<{
  model: OnnxModel;
  values: ReadonlyMap<string, Pick<Value, "dtype" | "shape">>;
  feeds: ReadonlyMap<string, Value>;
  shapes: ReadonlyMap<string, Shape>;
  outputs: ReadonlyMap<string, Value>;
}>;

/**
 * Lowers the nodes that the outputs of a graph need. `storage` returns how each parameter is stored; the values in
 * `selectRecomputed` are computed a second time for the backward pass (see `recompute.ts`). `lowerCodes`: the lowering
 * of encoded weights, if there are any.
 */
export function lower(
  graph: Graph,
  storage: Lowering["storage"],
  provider: Provider = "cpu",
  recomputed: ReadonlySet<number> = new Set(),
  lowerCodes?: Lowering["lowerCodes"],
): Lowered {
  const { outputs } = graph;
  const nodes = executionOrder(forwardOnlyFirst(reachable([...outputs.values()])), outputs);
  const lowering = createLowering({ graph, storage, lowerCodes, provider, recomputed }, nodes);
  const forward = recomputed.size > 0 ? forwardNodes(graph) : new Set(nodes);
  const lowered = nodes.flatMap((node) => lowerNode(lowering, node, forward.has(node)));
  const { values, feeds, shapes } = lowering;
  return { model: toModel(lowering, lowered), values, feeds, shapes, outputs };
}

/** Returns the vectors of sizes to feed in a run with these dims. */
export function shapeFeeds(shapes: ReadonlyMap<string, Shape>, dims: DimValues): Map<string, BigInt64Array> {
  return new Map([...shapes].map(([name, shape]) => [name, BigInt64Array.from(evaluateShape(shape, dims), BigInt)]));
}

/**
 * Moves backward nodes that depend on the forward pass alone, such as slopes of activations, to the front: of a node's
 * inputs, ONNX Runtime computes the last in the file first, so these values are computed right before their use.
 */
function forwardOnlyFirst(nodes: readonly Node[]): readonly Node[] {
  const led = new Set<Value>();
  const isBeside = (node: Node): boolean => {
    if (!node.scope.startsWith("d.")) return false;
    const follows = node.inputs.some((value) => value && (led.has(value) || isFactor(value)));
    if (follows) { for (const value of node.outputs) led.add(value); }
    return !follows;
  };
  const beside = new Set(nodes.filter(isBeside));
  return [...beside, ...nodes.filter((node) => !beside.has(node))];
}

/** Whether a value is a fed factor of losses: all gradients start from such a factor. */
function isFactor(value: Value): boolean {
  const origin = value.graph.origin(value);
  return origin?.kind === "input" && origin.name.startsWith(lossFactorInput(""));
}

/**
 * Orders nodes. ONNX Runtime walks back from the nodes that nothing reads, the last in the file first. Such leaves
 * (losses, weight gradients) are therefore put at the end in reverse: each is computed, and its operands freed, as
 * early as possible. Gradients are computed before losses, so that values that both read are not kept for the losses.
 */
function executionOrder(nodes: readonly Node[], outputs: ReadonlyMap<string, Value>): Node[] {
  const used = new Set<number>();
  for (const node of nodes) for (const input of node.inputs) if (input) used.add(input.id);
  const losses = new Set([...outputs].filter(([name]) => name.startsWith("loss.")).map(([, value]) => value.id));
  const isLeaf = (node: Node): boolean => !node.outputs.some((v) => used.has(v.id));
  const isLoss = (node: Node): boolean => node.outputs.some((v) => losses.has(v.id));
  const leaves = nodes.filter(isLeaf).reverse();
  return [...nodes.filter((n) => !isLeaf(n)), ...leaves.filter(isLoss), ...leaves.filter((n) => !isLoss(n))];
}

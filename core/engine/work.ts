/** The work of a program: the multiply-adds of its matrix products, given the dims of a batch. */
import { addDims, type Dim, evaluateDim } from "../graph/ops/dims.ts";
import { forwardNodes, type Graph, type Node, reachable } from "../graph/graph.ts";
import { opTable } from "../graph/ops/table.ts";
import type { Batch } from "../types.ts";
import { dimsWith } from "./feeds.ts";

/** A matrix product with its multiply-adds. `again`: recomputed by gradient checkpointing. */
export type Product = Readonly<{ node: Node; multiplyAdds: Dim; again: boolean }>;

/** Returns the matrix products that a graph's outputs need. */
export function productsOf(graph: Graph): readonly Product[] {
  const forward = forwardNodes(graph);
  return reachable([...graph.outputs.values()]).flatMap((node): Product[] => {
    const multiplyAdds = opTable[node.op].multiplyAdds?.(node);
    return multiplyAdds === undefined
      ? []
      : [{ node, multiplyAdds, again: !forward.has(node) && !node.scope.startsWith("d.") }];
  });
}

/**
 * Counts the useful multiply-adds of a training step on a batch: forward and backward, without recomputation and
 * without padding.
 */
export function usefulWork(graph: Graph): (batch: Batch) => number {
  const useful = productsOf(graph).filter(({ again }) => !again).map(({ multiplyAdds }) => multiplyAdds);
  // Padding occurs in dims that contain the batch's rows, not in those that count labels.
  const byRow = (dim: Dim): boolean => typeof dim === "string" && /\bbatch\b/.test(dim);
  const sum = (dims: readonly Dim[]): Dim => dims.reduce<Dim>(addDims, 0);
  const [places, others] = [sum(useful.filter(byRow)), sum(useful.filter((dim) => !byRow(dim)))];
  return (batch) => {
    const dims = dimsWith(graph.inputs.keys(), batch);
    const laidOut = batch.batch * (batch.seq + (batch.decoder?.seq ?? 0));
    return evaluateDim(places, dims) * Math.min(1, batch.tokens / laidOut) + evaluateDim(others, dims);
  };
}

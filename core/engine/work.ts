/** The work of a program: the multiply-adds of its matrix products, as sizes of a batch tell. */
import { addDims, type Dim, evaluateDim } from "../graph/ops/dims.ts";
import { forwardNodes, type Graph, type Node, reachable } from "../graph/graph.ts";
import { opTable } from "../graph/ops/table.ts";
import type { Batch } from "../types.ts";
import { dimsWith } from "./feeds.ts";

/** A matrix product with its multiply-adds. `again`: one that the forward pass made before (checkpointing). */
export type Product = Readonly<{ node: Node; multiplyAdds: Dim; again: boolean }>;

/** The matrix products that a graph's outputs need. */
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
 * Counts the useful multiply-adds of a training step on a batch: forward and backward, without what is made again to
 * save memory, and of places without padding.
 */
export function usefulWork(graph: Graph): (batch: Batch) => number {
  const useful = productsOf(graph).filter(({ again }) => !again).map(({ multiplyAdds }) => multiplyAdds);
  // Padding is among places that are counted by rows of the batch, and not among labels.
  const byRow = (dim: Dim): boolean => typeof dim === "string" && /\bbatch\b/.test(dim);
  const sum = (dims: readonly Dim[]): Dim => dims.reduce<Dim>(addDims, 0);
  const [places, others] = [sum(useful.filter(byRow)), sum(useful.filter((dim) => !byRow(dim)))];
  return (batch) => {
    const dims = dimsWith(graph.inputs.keys(), batch);
    const laidOut = batch.batch * (batch.seq + (batch.decoder?.seq ?? 0));
    return evaluateDim(places, dims) * Math.min(1, batch.tokens / laidOut) + evaluateDim(others, dims);
  };
}

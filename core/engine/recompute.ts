/**
 * What a training step computes again in its backward pass instead of keeping it.
 *
 * Of all ways to keep as little as possible, the least is a minimum cut between what is there anyway and what the
 * backward pass reads (Jain et al. 2020; He & Yu 2023). Only what costs a pass over memory is computed again, or also
 * attention's scores, never a product with a weight. Weights that are rounded to be multiplied always are: kept, they would be
 * one more copy of the model.
 * @module
 */
import type { DimValues } from "../graph/ops/dims.ts";
import { forwardNodes, type Graph, type Node, reachable, type Value } from "../graph/graph.ts";
import { opTable } from "../graph/ops/table.ts";
import type { Op } from "../graph/ops/ops.ts";
import { createFlow } from "./flow.ts";
import { bytesOf, peakBytes } from "./liveness.ts";
import { lower } from "./lower/lower.ts";

/** What may be computed again: nothing, what costs a pass over memory, or attention's scores besides. */
export type Recompute = "nothing" | "passes" | "attention";

/** Ops that give the elements of their first operand, in another type or order. */
const moves: ReadonlySet<Op> = new Set<Op>(["Cast", "Identity", "Transpose", "Reshape", "Slice"]);

/** What a step computes again, the bytes that its values then take at their peak, and the nodes of its session. */
export type Recomputation = Readonly<{ values: ReadonlySet<number>; peak: number; nodes: number }>;

/** Chooses the least that has to be computed again so that a step's values take at most `budget` bytes, or as few as can be. */
export type Recomputer = (budget: number) => Recomputation;

/** The recomputer of a graph on batches of such sizes. What each way costs is looked at when it is needed, and once. */
export function createRecomputer(graph: Graph, dims: DimValues): Recomputer {
  const known = new Map<Recompute, Recomputation>();
  const lookAt = (how: Recompute): Recomputation => {
    const values = selectRecomputed(graph, dims, how);
    const lowered = lower(graph, () => ({ as: "feed" }), "cpu", values);
    const one = { values, peak: peakBytes(lowered, dims), nodes: lowered.model.graph.nodes.length };
    known.set(how, one);
    return one;
  };
  return (budget) => {
    let best: Recomputation = { values: new Set(), peak: Infinity, nodes: 0 };
    for (const how of ["nothing", "passes", "attention"] as const) {
      const one = known.get(how) ?? lookAt(how);
      if (one.peak < best.peak) best = one;
      if (one.peak <= budget) break;
    }
    return best;
  };
}

/** Values of the forward pass that the backward pass makes anew for itself, by id, on batches of such sizes. */
export function selectRecomputed(graph: Graph, dims: DimValues, how: Recompute): ReadonlySet<number> {
  const forward = forwardNodes(graph);
  const rounded = roundedWeights(graph, forward);
  if (how === "nothing") return rounded;
  const kept = new Set<number>(), wanted: Value[] = [];
  for (const node of reachable([...graph.outputs.values()])) {
    if (forward.has(node)) continue;
    for (const input of node.inputs) {
      const producer = input && graph.producer(input);
      if (!input || !producer || !forward.has(producer) || kept.has(input.id)) continue;
      kept.add(input.id);
      wanted.push(input);
    }
  }
  const made = leastKept(graph, wanted, (value) => bytesOf(value, dims), (node) => isCheap(graph, node, how));
  return new Set([...rounded, ...made]);
}

/** Casts of weights, with what moves their elements before and behind. */
function roundedWeights(graph: Graph, forward: ReadonlySet<Node>): ReadonlySet<number> {
  const moved = new Map<number, Node>();
  const rounded = new Set<number>();
  const round = (node: Node): void => {
    for (const { id } of node.outputs) rounded.add(id);
    for (const input of node.inputs) {
      const before = input && moved.get(input.id);
      if (input && before && !rounded.has(input.id)) round(before);
    }
  };
  for (const node of forward) {
    const [x] = node.inputs;
    if (!x || !moves.has(node.op) || !(moved.has(x.id) || graph.origin(x)?.kind === "parameter")) continue;
    for (const { id } of node.outputs) moved.set(id, node);
    if (node.op === "Cast" || rounded.has(x.id)) round(node);
  }
  return rounded;
}

function isCheap(graph: Graph, node: Node, how: Recompute): boolean {
  const { recompute } = opTable[node.op];
  if (recompute === "passes") return true;
  return recompute === "attention" && how === "attention" &&
    !node.inputs.some((input) => input && graph.origin(input)?.kind === "parameter");
}

/** The values to make anew so that as few bytes as possible are kept for `wanted`. */
function leastKept(
  graph: Graph,
  wanted: readonly Value[],
  bytes: (value: Value) => number,
  cheap: (node: Node) => boolean,
): ReadonlySet<number> {
  const flow = createFlow();
  const [source, sink] = [flow.vertex(), flow.vertex()];
  // Of each value an entrance and an exit: to cut between them is to keep it.
  const known = new Map<number, readonly [number, number]>();
  const enter = (value: Value): readonly [number, number] => {
    const before = known.get(value.id);
    if (before) return before;
    const ends = [flow.vertex(), flow.vertex()] as const;
    known.set(value.id, ends);
    flow.edge(ends[0], ends[1], bytes(value));
    const producer = graph.producer(value) as Node;
    if (!cheap(producer)) flow.edge(source, ends[0], Infinity);
    // What no node makes is there anyway.
    else {for (const input of producer.inputs) {
        if (input && graph.producer(input)) flow.edge(enter(input)[1], ends[0], Infinity);
      }}
    return ends;
  };
  for (const value of wanted) flow.edge(enter(value)[1], sink, Infinity);
  const needs = flow.cut(source, sink);
  return new Set([...known].filter(([, [entrance]]) => needs(entrance)).map(([id]) => id));
}

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
  const { again, kept: weights } = roundedWeights(graph, forward);
  if (how === "nothing") return again;
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
  const isMade = (node: Node): boolean => isCheap(graph, node, how) && !node.outputs.some(({ id }) => weights.has(id));
  return new Set([...again, ...leastKept(graph, wanted, (value) => bytesOf(value, dims), isMade)]);
}

/** Casts of weights, with what moves their elements before and behind: those to make again, and those that are read again soon. */
function roundedWeights(
  graph: Graph,
  forward: ReadonlySet<Node>,
): Readonly<{ again: ReadonlySet<number>; kept: ReadonlySet<number> }> {
  const moved = new Map<number, Node>();
  const [again, kept] = [new Set<number>(), new Set<number>()];
  const round = (node: Node): void => {
    for (const { id } of node.outputs) again.add(id);
    for (const input of node.inputs) {
      const before = input && moved.get(input.id);
      if (input && before && !again.has(input.id)) round(before);
    }
  };
  let soon: ReadonlySet<number> | undefined;
  for (const node of forward) {
    const [x] = node.inputs;
    if (!x || !moves.has(node.op) || !(moved.has(x.id) || graph.origin(x)?.kind === "parameter")) continue;
    for (const { id } of node.outputs) moved.set(id, node);
    if (node.op !== "Cast" && !again.has(x.id)) continue;
    soon ??= readAgainSoon(graph, forward);
    if (!node.outputs.some(({ id }) => soon?.has(id))) round(node);
    else for (const { id } of node.outputs) kept.add(id);
  }
  return { again, kept };
}

/** Of how many nodes one lies between two readers that are near each other, as those of a head are. */
const NEAR = 16;

/** Values between whose last reader in the forward pass and first one in the backward pass few nodes lie. */
function readAgainSoon(graph: Graph, forward: ReadonlySet<Node>): ReadonlySet<number> {
  const nodes = reachable([...graph.outputs.values()]);
  const last = new Map<number, number>(), soon = new Set<number>(), seen = new Set<number>();
  nodes.forEach((node, i) => {
    for (const input of node.inputs) if (input && forward.has(node)) last.set(input.id, i);
  });
  nodes.forEach((node, i) => {
    if (forward.has(node)) return;
    for (const input of node.inputs) {
      const before = input && last.get(input.id);
      if (!input || before === undefined || seen.has(input.id)) continue;
      seen.add(input.id);
      if (i - before < nodes.length / NEAR) soon.add(input.id);
    }
  });
  return soon;
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

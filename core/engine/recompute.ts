/**
 * The choice of values that a training step recomputes in its backward pass instead of keeping them.
 *
 * The smallest set of values to keep is a minimum cut between the values that exist anyway and those that the backward
 * pass reads (Jain et al. 2020; He & Yu 2023). Ops that cost a pass over memory are recomputed first, then attention
 * scores, then as few products with weights within layers as the budget requires; the output of a layer is always kept.
 * Weights that are rounded for a product are always recomputed: kept, they would take another copy of the model.
 */
import { type DimValues, evaluateDim, sizeOfShape } from "../graph/ops/dims.ts";
import { forwardNodes, type Graph, type Node, reachable, type Value } from "../graph/graph.ts";
import { opTable } from "../graph/ops/table.ts";
import type { Op } from "../graph/ops/ops.ts";
import type { BuildInfo } from "./builder/context.ts";
import { createFlow } from "./flow.ts";
import { bytesOf, peakBytes } from "./liveness.ts";
import { lower } from "./lower/lower.ts";
import { productsOf } from "./work.ts";

/**
 * The ops that may be recomputed: none, those that cost a pass over memory, attention scores too, or also this number
 * of products with weights: those with the least work per element of their result first.
 */
export type Recompute = "nothing" | "passes" | "attention" | number;

/** Ops whose result has the elements of their first operand, in another dtype or order. */
const moves: ReadonlySet<Op> = new Set<Op>(["Cast", "Identity", "Transpose", "Reshape", "Slice"]);

/** The values that a step recomputes, the peak bytes of its values then, and the number of its session's nodes. */
export type Recomputation = Readonly<{ values: ReadonlySet<number>; peak: number; nodes: number }>;

/**
 * The bytes that a step's values may take, and the largest share of its products' work that may be recomputed for that.
 */
export type ActivationBudget = Readonly<{ bytes: number; moreWork: number }>;

/**
 * Chooses the least recomputation that keeps a step's values within a budget, or if none does, makes them as small as
 * possible.
 */
export type Recomputer = (budget: ActivationBudget) => Recomputation;

/**
 * How many numbers of recomputed products are tried: each try takes about a tenth of the time that opening a session
 * takes.
 */
const TRIES = 4;

/** The share of a budget above which a try is good enough; below it, fewer products are recomputed. */
const CLOSE = 0.97;

/**
 * Creates the recomputer of a program for batches with these dims. The cost of each choice is computed once, on demand.
 */
export function createRecomputer(program: Recomputed, dims: DimValues): Recomputer {
  const { graph } = program;
  const known = new Map<Recompute, Recomputation>();
  const lookAt = (how: Recompute): Recomputation => {
    const before = known.get(how);
    if (before) return before;
    const values = selectRecomputed(program, dims, how);
    const lowered = lower(graph, () => ({ as: "feed" }), "cpu", values);
    const one = { values, peak: peakBytes(lowered, dims), nodes: lowered.model.graph.nodes.length };
    known.set(how, one);
    return one;
  };
  return ({ bytes: budget, moreWork }) => {
    let best: Recomputation = { values: new Set(), peak: Infinity, nodes: 0 };
    for (const how of ["nothing", "passes", "attention"] as const) {
      const one = lookAt(how);
      if (one.peak < best.peak) best = one;
      if (one.peak <= budget) return best;
    }
    return fewestProducts(budget, best, productsWorth(program, dims, moreWork), lookAt);
  };
}

/** Returns how many products within layers make up at most this share of the work of a step's products. */
function productsWorth(program: Recomputed, dims: DimValues, share: number): number {
  const within = productsWithin(program, dims);
  const useful = productsOf(program.graph).reduce(
    (sum, { multiplyAdds, again }) => sum + (again ? 0 : evaluateDim(multiplyAdds, dims)),
    0,
  );
  let left = share * useful;
  const beyond = within.findIndex(({ work }) => (left -= work) < 0);
  return beyond < 0 ? within.length : beyond;
}

/**
 * Finds, in a few tries, the fewest products to recompute so that a step's values take at most `budget` bytes.
 */
function fewestProducts(
  budget: number,
  none: Recomputation,
  count: number,
  lookAt: (products: number) => Recomputation,
): Recomputation {
  if (count === 0) return none;
  let [low, high] = [{ products: 0, peak: none.peak }, { products: count, peak: lookAt(count).peak }];
  if (high.peak > budget) return high.peak < none.peak ? lookAt(count) : none;
  for (let i = 0; i < TRIES && high.products - low.products > 1 && high.peak < CLOSE * budget; i++) {
    // Interpolates: each recomputed product saves about the same.
    const share = (low.peak - budget) / (low.peak - high.peak);
    const between = low.products + Math.ceil(share * (high.products - low.products));
    const products = Math.max(low.products + 1, Math.min(high.products - 1, between));
    const { peak } = lookAt(products);
    if (peak <= budget) high = { products, peak };
    else low = { products, peak };
  }
  return lookAt(high.products);
}

/** A program whose values may be recomputed. */
type Recomputed = Readonly<{ graph: Graph; recorded: Pick<BuildInfo, "layers"> }>;

/** Returns the ids of forward values that the backward pass recomputes, for batches with these dims. */
export function selectRecomputed(program: Recomputed, dims: DimValues, how: Recompute): ReadonlySet<number> {
  const { graph, recorded: { layers } } = program;
  const forward = forwardNodes(graph);
  const { again, saved: weights } = roundedWeights(graph, forward);
  if (how === "nothing") return again;
  const some = typeof how === "number" ? productsWithin(program, dims).slice(0, how) : [];
  const products = new Set(some.map(({ node }) => node));
  // Outputs of layers are kept: recomputing one would need all layers before it.
  const outputs = new Set(products.size > 0 ? layers.map(({ output }) => output.id) : []);
  const saved = new Set<number>(), targets: Value[] = [];
  for (const node of reachable([...graph.outputs.values()])) {
    if (forward.has(node)) continue;
    for (const input of node.inputs) {
      const producer = input && graph.producer(input);
      if (!input || !producer || !forward.has(producer) || saved.has(input.id)) continue;
      saved.add(input.id);
      targets.push(input);
    }
  }
  const isMade = (node: Node): boolean =>
    (products.has(node) || isCheap(graph, node, how)) &&
    !node.outputs.some(({ id }) => outputs.has(id) || weights.has(id));
  return new Set([...again, ...leastKept(graph, targets, (value) => bytesOf(value, dims), isMade)]);
}

/** Returns the products with weights within layers, those with the least work per element of their result first. */
function productsWithin({ graph, recorded: { layers } }: Recomputed, dims: DimValues): readonly Readonly<
  { node: Node; work: number }
>[] {
  const isWithin = ({ scope }: Node): boolean => layers.some(({ path }) => scope.startsWith(`${path}.`));
  return [...forwardNodes(graph)].flatMap((node) => {
    const multiplyAdds = opTable[node.op].multiplyAdds?.(node);
    const [result] = node.outputs;
    if (multiplyAdds === undefined || !result || !hasWeight(graph, node) || !isWithin(node)) return [];
    const work = evaluateDim(multiplyAdds, dims);
    return [{ node, work, perValue: work / evaluateDim(sizeOfShape(result.shape), dims) }];
  }).sort((a, b) => a.perValue - b.perValue);
}

/**
 * Finds casts of weights, with the ops that move their elements before and after: those to recompute, and those that
 * are read again soon.
 */
function roundedWeights(
  graph: Graph,
  forward: ReadonlySet<Node>,
): Readonly<{ again: ReadonlySet<number>; saved: ReadonlySet<number> }> {
  const moved = new Map<number, Node>();
  const [again, saved] = [new Set<number>(), new Set<number>()];
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
    else for (const { id } of node.outputs) saved.add(id);
  }
  return { again, saved };
}

/** Two readers are near each other, as those of a head are, if at most 1/16 of all nodes lie between them. */
const NEAR = 16;

/** Returns the ids of values with few nodes between their last forward reader and their first backward reader. */
function readAgainSoon(graph: Graph, forward: ReadonlySet<Node>): ReadonlySet<number> {
  const nodes = reachable([...graph.outputs.values()]);
  const last = new Map<number, number>(), soon = new Set<number>(), visited = new Set<number>();
  nodes.forEach((node, i) => {
    for (const input of node.inputs) if (input && forward.has(node)) last.set(input.id, i);
  });
  nodes.forEach((node, i) => {
    if (forward.has(node)) return;
    for (const input of node.inputs) {
      const before = input && last.get(input.id);
      if (!input || before === undefined || visited.has(input.id)) continue;
      visited.add(input.id);
      if (i - before < nodes.length / NEAR) soon.add(input.id);
    }
  });
  return soon;
}

function isCheap(graph: Graph, node: Node, how: Recompute): boolean {
  const { recompute } = opTable[node.op];
  if (recompute === "passes") return true;
  return recompute === "attention" && how !== "passes" && !hasWeight(graph, node);
}

function hasWeight(graph: Graph, { inputs }: Node): boolean {
  return inputs.some((input) => input && graph.origin(input)?.kind === "parameter");
}

/** Returns the values to recompute so that as few bytes as possible are kept for `targets`. */
function leastKept(
  graph: Graph,
  targets: readonly Value[],
  bytes: (value: Value) => number,
  cheap: (node: Node) => boolean,
): ReadonlySet<number> {
  const flow = createFlow();
  const [source, sink] = [flow.vertex(), flow.vertex()];
  // Each value is an edge between two vertices: cutting it means keeping the value.
  const known = new Map<number, readonly [number, number]>();
  const enter = (value: Value): readonly [number, number] => {
    const before = known.get(value.id);
    if (before) return before;
    const ends = [flow.vertex(), flow.vertex()] as const;
    known.set(value.id, ends);
    flow.edge(ends[0], ends[1], bytes(value));
    const producer = graph.producer(value) as Node;
    if (!cheap(producer)) flow.edge(source, ends[0], Infinity);
    // Values that no node computes exist anyway.
    else {for (const input of producer.inputs) {
        if (input && graph.producer(input)) flow.edge(enter(input)[1], ends[0], Infinity);
      }}
    return ends;
  };
  for (const value of targets) flow.edge(enter(value)[1], sink, Infinity);
  const needs = flow.cut(source, sink);
  return new Set([...known].filter(([, [entrance]]) => needs(entrance)).map(([id]) => id));
}

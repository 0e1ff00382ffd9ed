/**
 * The computation graph: append-only nodes over values, whose shapes and dtypes are inferred as nodes are appended.
 *
 * Equal nodes are the same node (hash-consing), so a gradient rule may rebuild a forward value at no cost. Nodes that
 * lead to no output cost nothing either: only the nodes that outputs need are lowered.
 */
import type { DType, Tensor } from "../base/tensor.ts";
import type { Shape } from "./ops/dims.ts";
import { opTable } from "./ops/table.ts";
import type { Op, Ops } from "./ops/ops.ts";
import type {
  Append,
  Graph as AnyGraph,
  Node,
  Origin,
  Purpose,
  Region,
  RegionRule,
  Rewrite,
  Value,
  Values,
} from "./ops/value.ts";

export type { Dim, Shape } from "./ops/dims.ts";
export type {
  Append,
  Node,
  Origin,
  Purpose,
  Region,
  RegionRule,
  RequestedOp,
  Rewrite,
  Value,
  Values,
} from "./ops/value.ts";

/** A training or inference graph under construction. */
export type Graph = AnyGraph;

/** Creates an empty graph. `rewrites`, applied in order, may replace each requested operation by other nodes. */
export const Graph: new (rewrites?: readonly Rewrite[]) => Graph = class implements AnyGraph {
  readonly nodes: Node[] = [];
  readonly inputs: Map<string, Value> = new Map<string, Value>();
  readonly outputs: Map<string, Value> = new Map<string, Value>();
  scope = "";
  readonly #producers: (Node | undefined)[] = [];
  readonly #origins: (Origin | undefined)[] = [];
  readonly #known: Map<string, readonly Value[]> = new Map();
  readonly #rewritten: Map<string, readonly Value[]> = new Map();
  readonly #regions: Map<number, Region> = new Map();
  readonly #readAs: Map<number, Value> = new Map();
  readonly #rewrites: readonly Rewrite[];

  constructor(rewrites: readonly Rewrite[] = []) {
    this.#rewrites = rewrites;
  }

  input(name: string, dtype: DType, shape: Shape): Value {
    return this.inputs.get(name) ?? this.#source({ kind: "input", name }, dtype, shape);
  }

  parameter(name: string, dtype: DType, shape: Shape): Value {
    return this.inputs.get(name) ?? this.#source({ kind: "parameter", name }, dtype, shape);
  }

  constant(tensor: Tensor): Value {
    const key = `constant ${tensor.dtype} ${tensor.dims} ${
      tensor.data.length > 16 ? this.#producers.length : tensor.data
    }`;
    const known = this.#known.get(key)?.[0];
    if (known) return known;
    const value = this.#value(tensor.dtype, tensor.dims, undefined, { kind: "constant", tensor });
    this.#known.set(key, [value]);
    return value;
  }

  append<O extends Op>(op: O, inputs: Values, attrs: Ops[O]): readonly Value[] {
    if (this.#rewrites.length === 0) return this.#append(op, inputs, attrs);
    const purpose = purposeOf(this.scope);
    const key = `${purpose} ${keyOf(op, inputs, attrs)}`;
    const known = this.#rewritten.get(key);
    if (known) return known;
    const from = (i: number): Append => (op, inputs, attrs) =>
      this.#rewrites[i]?.({ op, inputs, attrs }, from(i + 1), purpose) ?? this.#append(op, inputs, attrs);
    const outputs = from(0)(op, inputs, attrs);
    this.#rewritten.set(key, outputs);
    return outputs;
  }

  #append<O extends Op>(op: O, inputs: Values, attrs: Ops[O]): readonly Value[] {
    const key = keyOf(op, inputs, attrs);
    const known = this.#known.get(key);
    if (known) return known;
    const inferred = opTable[op].shape({ op, inputs, attrs });
    const outputs: Value[] = [];
    const node: Node<O> = { op, inputs, outputs, attrs, scope: this.scope };
    for (const { dtype, shape } of inferred) outputs.push(this.#value(dtype, shape, node as Node, undefined));
    this.nodes.push(node as Node);
    this.#known.set(key, outputs);
    return outputs;
  }

  output(name: string, value: Value): void {
    this.outputs.set(name, value);
  }

  withVjp(
    inputs: readonly Value[],
    outputs: readonly Value[],
    rule: RegionRule,
    transparent = false,
  ): readonly Value[] {
    // An Identity per output keeps the region apart from other uses of the same nodes.
    const marked = outputs.map((value) => this.#unique("Identity", value));
    const region: Region = { inputs, outputs: marked, rule, transparent };
    for (const value of marked) this.#regions.set(value.id, region);
    return marked;
  }

  producer(value: Value): Node | undefined {
    return this.#producers[value.id];
  }

  origin(value: Value): Origin | undefined {
    return this.#origins[value.id];
  }

  replace(result: Value, other: Value): void {
    this.#readAs.set(result.id, other);
  }

  readAs(value: Value): Value {
    return this.#readAs.get(value.id) ?? value;
  }

  region(value: Value): Region | undefined {
    return this.#regions.get(value.id);
  }

  within<T>(scope: string, build: () => T): T {
    const outer = this.scope;
    this.scope = scope;
    try {
      return build();
    } finally {
      this.scope = outer;
    }
  }

  #source(origin: Origin & { name: string }, dtype: DType, shape: Shape): Value {
    const value = this.#value(dtype, shape, undefined, origin);
    this.inputs.set(origin.name, value);
    return value;
  }

  #unique(op: "Identity", input: Value): Value {
    const outputs: Value[] = [];
    const node: Node<"Identity"> = { op, inputs: [input], outputs, attrs: {}, scope: this.scope };
    outputs.push(this.#value(input.dtype, input.shape, node as Node, undefined));
    this.nodes.push(node as Node);
    return outputs[0] as Value;
  }

  #value(dtype: DType, shape: Shape, producer: Node | undefined, origin: Origin | undefined): Value {
    const value: Value = { graph: this, id: this.#producers.length, dtype, shape };
    this.#producers.push(producer);
    this.#origins.push(origin);
    return value;
  }
};

function keyOf(op: Op, inputs: Values, attrs: unknown): string {
  return `${op} ${inputs.map((v) => v?.id ?? "-").join(" ")} ${JSON.stringify(attrs)}`;
}

function purposeOf(scope: string): Purpose {
  if (scope.startsWith("d.")) return "gradients";
  return /^(loss|regularizer)\./.test(scope) ? "loss" : "outputs";
}

/** Returns the nodes that the given values need, producers first, in the order they were appended. */
export function reachable(values: readonly Value[]): Node[] {
  const visited = new Set<Node>();
  const stack = values.flatMap((v) => v.graph.producer(v) ?? []);
  while (stack.length > 0) {
    const node = stack.pop();
    if (!node || visited.has(node)) continue;
    visited.add(node);
    for (const input of node.inputs) {
      const producer = input && input.graph.producer(input);
      if (producer && !visited.has(producer)) stack.push(producer);
    }
  }
  const first = values[0];
  return first ? first.graph.nodes.filter((node) => visited.has(node)) : [];
}

/** Returns the name of the graph input for a loss's factor. */
export function lossFactorInput(loss: string): string {
  return `factor.${loss}`;
}

/** Returns the nodes of a training graph that its losses need: the forward pass. */
export function forwardNodes(graph: Graph): ReadonlySet<Node> {
  const losses = [...graph.outputs].filter(([name]) => name.startsWith("loss.")).map(([, value]) => value);
  return new Set(reachable(losses));
}

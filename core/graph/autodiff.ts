/** Reverse-mode differentiation: adds the gradient nodes of a loss to its graph, by the rules of the ops' records. */
import { sizeOfShape } from "./ops/dims.ts";
import * as f from "./ops/functions.ts";
import { type Node, reachable, type Region, type Value, type Values } from "./graph.ts";
import { noGradient } from "./ops/gradient_rules.ts";
import type { Applied } from "./ops/record.ts";
import { opTable } from "./ops/table.ts";
import type { Op } from "./ops/ops.ts";

/** The gradient of a table that is only gathered from, as rows: dtable[indices[i]] += rows[i]. */
export type SparseGradient = Readonly<{ indices: Value; rows: Value }>;

/** A gradient in the parts that the host adds up. */
export type Gradient = Readonly<{ dense: Value | undefined; sparse: readonly SparseGradient[] }>;

/**
 * Builds the gradients of a scalar loss. Only nodes between `wrt` and `loss` are visited, so frozen parameters cost
 * nothing. Tables of `wrt` in `sparse` get the gradients of row gathers as rows. `scale` multiplies all gradients.
 *
 * @throws AttuneError if an op between `wrt` and `loss` has no gradient rule.
 */
export function gradients(
  loss: Value,
  wrt: readonly Value[],
  sparse: ReadonlySet<Value> = new Set(),
  scale: Value = loss.graph.constant({ dtype: "float32", dims: [], data: Float32Array.of(1) }),
): Gradient[] {
  return backward([loss], [f.reshape(scale, loss.shape)], wrt, sparse);
}

/** Builds the gradients of Σ outputs · dy with respect to `wrt`, without going past the values of `wrt`. */
export function backward(
  outputs: readonly Value[],
  dy: readonly Value[],
  wrt: readonly Value[],
  sparse: ReadonlySet<Value> = new Set(),
): Gradient[] {
  const graph = outputs[0]?.graph;
  if (!graph) return wrt.map(() => ({ dense: undefined, sparse: [] }));
  const targets = new Set(wrt.map((v) => v.id));
  const sparseIds = new Set([...sparse].map((v) => v.id));
  const between = dependents(outputs, targets);
  const adjoint = new Map<number, Value>();
  const rows = new Map<number, SparseGradient[]>();
  const doneRegions = new Set<Region>();
  const incoming = (v: Value): Value | undefined => (targets.has(v.id) ? undefined : adjoint.get(v.id));
  const accumulate = (value: Value, d: Value): void => {
    const known = adjoint.get(value.id);
    adjoint.set(value.id, known ? f.add(known, d) : d);
  };
  outputs.forEach((output, i) => dy[i] && accumulate(output, dy[i]));

  for (const node of reachable(outputs).reverse()) {
    if (!node.outputs.some((v) => between.has(v.id) && incoming(v))) continue;
    const ds = node.outputs.map(incoming);
    graph.within(`d.${node.scope}`, () => {
      const region = node.outputs[0] && graph.region(node.outputs[0]);
      if (region) {
        // Outputs of a region are built together, so at the last one the gradients of all of them are complete.
        if (doneRegions.has(region)) return;
        doneRegions.add(region);
        const needs = region.inputs.map((v) => between.has(v.id));
        const gradients = region.rule(region.outputs.map(incoming), needs);
        region.inputs.forEach((input, i) => gradients[i] && needs[i] && accumulate(input, gradients[i]));
        return;
      }
      const needs = node.inputs.map((v) => v !== undefined && between.has(v.id));
      const data = node.inputs[0];
      if (isRowGather(node) && data && sparseIds.has(data.id)) {
        const indices = node.inputs[1] as Value;
        const count = sizeOfShape(indices.shape);
        const list = rows.get(data.id) ?? [];
        const d = ds[0] as Value;
        list.push({ indices: f.reshape(indices, [count]), rows: f.reshape(d, [count, ...data.shape.slice(1)]) });
        rows.set(data.id, list);
        return;
      }
      gradientsOf(node, ds, needs).forEach((d, i) => {
        const input = node.inputs[i];
        if (d && input) accumulate(input, d);
      });
    });
  }
  return wrt.map((v) => ({ dense: adjoint.get(v.id), sparse: rows.get(v.id) ?? [] }));
}

/** Builds the gradients of those inputs of a node that need one. */
function gradientsOf(node: Node, [dy, ...ofStatistics]: Values, needs: readonly boolean[]): Values {
  const { gradient } = opTable[node.op];
  if (!gradient) throw noGradient(node, "gradients do not pass through it");
  if (!dy || ofStatistics.some((d) => d)) throw noGradient(node, "its statistics must not be used");
  const [a, b, c] = node.inputs as readonly Value[];
  const y = node.outputs[0] as Value;
  const applied = { x: a, a, b, c, y: y.graph.readAs(y), attrs: node.attrs, node } as Applied;
  return needs.map((needed, i) => (needed ? gradient(applied, dy, i) : undefined));
}

function isRowGather(node: Node): boolean {
  return node.op === "Gather" && (node as Node<"Gather">).attrs.axis === 0;
}

/** Whether gradients pass through an op. */
export function isDifferentiable(op: Op): boolean {
  return opTable[op].gradient !== null;
}

/** Returns the ids of the values through which gradients reach a target; a region counts as one op. */
function dependents(outputs: readonly Value[], targets: ReadonlySet<number>): ReadonlySet<number> {
  const reached = new Set(targets);
  for (const node of reachable(outputs)) {
    const region = node.outputs[0] && node.outputs[0].graph.region(node.outputs[0]);
    const inputs = region ? region.inputs : node.inputs;
    if (!region && !isDifferentiable(node.op)) continue;
    if (inputs.some((v) => v && reached.has(v.id))) { for (const v of node.outputs) reached.add(v.id); }
  }
  return reached;
}

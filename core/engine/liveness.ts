/** Peak memory of a session's values, from the order in which ONNX Runtime executes nodes. */
import { type DimValues, evaluateShape } from "../graph/ops/dims.ts";
import type { Value } from "../graph/graph.ts";
import type { OnnxNode } from "../onnx/model.ts";
import { bytesPerElement } from "../base/tensor.ts";
import type { Lowered } from "./lower/lower.ts";

/** Ops whose result may share the buffer of their first operand, because it has the same bytes. */
const views: ReadonlySet<string> = new Set(["Reshape", "Identity", "Unsqueeze"]);

/** Returns the peak bytes of live values in a run with these dims. Weights and feeds do not count. */
export function peakBytes({ model, values }: Pick<Lowered, "model" | "values">, dims: DimValues): number {
  const order = executionOrder(model.graph.nodes);
  const readers = new Map<string, number>();
  for (const node of order) for (const name of new Set(node.inputs)) readers.set(name, (readers.get(name) ?? 0) + 1);
  for (const { name } of model.graph.outputs) readers.set(name, (readers.get(name) ?? 0) + 1);
  // A view and its operand share one buffer, which lives as long as either is read.
  const bufferOf = new Map<string, string>();
  const users = new Map<string, number>();
  const size = new Map<string, number>();
  const release = (name: string): void => {
    const buffer = bufferOf.get(name);
    if (buffer === undefined) return;
    const left = (users.get(buffer) ?? 0) - 1;
    users.set(buffer, left);
    if (left === 0) alive -= size.get(buffer) ?? 0;
  };
  let [alive, peak] = [0, 0];
  for (const node of order) {
    const [first = ""] = node.inputs;
    for (const name of node.outputs) {
      const value = values.get(name);
      const viewed = views.has(node.op) ? bufferOf.get(first) : undefined;
      const buffer = viewed ?? name;
      bufferOf.set(name, buffer);
      users.set(buffer, (users.get(buffer) ?? 0) + (readers.get(name) ?? 0));
      if (viewed !== undefined || !value) continue;
      const bytes = bytesOf(value, dims);
      size.set(buffer, bytes);
      alive += bytes;
    }
    peak = Math.max(peak, alive);
    for (const name of new Set(node.inputs)) release(name);
    for (const name of node.outputs) {
      if (!readers.has(name) && bufferOf.get(name) === name) alive -= size.get(name) ?? 0;
    }
  }
  return peak;
}

/**
 * Returns ONNX Runtime's execution order: a depth-first search backwards from the nodes that nothing reads, the last in
 * the file first; among a node's producers the last in the file comes first; each node follows all that it needs.
 */
export function executionOrder(nodes: readonly OnnxNode[]): readonly OnnxNode[] {
  const producer = new Map<string, number>();
  nodes.forEach((node, i) => node.outputs.forEach((name) => producer.set(name, i)));
  const read = new Set(nodes.flatMap((node) => node.inputs));
  const sources = nodes.map((node) =>
    [...new Set(node.inputs.flatMap((name) => producer.get(name) ?? []))].sort((a, b) => a - b)
  );
  const order: OnnxNode[] = [];
  const visited = new Uint8Array(nodes.length);
  // On the stack, the complement of a node's index means: all of its producers are done.
  const stack = nodes.flatMap((node, i) => node.outputs.some((name) => read.has(name)) ? [] : [i]);
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    if (top < 0) order.push(nodes[~top] as OnnxNode);
    else if (!visited[top]) {
      visited[top] = 1;
      stack.push(~top);
      for (const i of sources[top] ?? []) if (!visited[i]) stack.push(i);
    }
  }
  return order;
}

/** Returns the bytes of a value in a run with these dims. */
export function bytesOf({ dtype, shape }: Pick<Value, "dtype" | "shape">, dims: DimValues): number {
  return evaluateShape(shape, dims).reduce((a, b) => a * b, bytesPerElement[dtype]);
}

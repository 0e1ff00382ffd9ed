/** A graph as stable text, one node per line, for people and for snapshot tests. */
import type { Shape } from "./ops/dims.ts";
import { type Graph, reachable, type Value } from "./graph.ts";
import { show } from "../base/errors.ts";

/**
 * Prints the nodes that a graph's outputs need. Values are numbered in the order of the text, so that unrelated
 * nodes do not change it.
 *
 * @example
 * ```ts
 * import { add, Graph, print } from "attune";
 * const g = new Graph();
 * g.output("y", add(g.input("x", "float32", ["batch", 2]), 1));
 * console.assert(print(g).includes("Add x 1 : float32[batch,2]"));
 * ```
 */
export function print(graph: Graph): string {
  const names = new Map<number, string>();
  const nameOf = (value: Value): string => {
    const known = names.get(value.id);
    if (known) return known;
    const origin = graph.origin(value);
    const name = origin?.kind === "constant"
      ? origin.tensor.data.length === 1 ? String(origin.tensor.data[0]) : `const${shapeText(value.shape)}`
      : origin?.name ?? "?";
    return name;
  };
  const lines: string[] = [];
  const nodes = reachable([...graph.outputs.values()]);
  const used = new Set(nodes.flatMap((n) => n.inputs.flatMap((v) => (v ? [v.id] : []))));
  for (const value of graph.outputs.values()) used.add(value.id);
  for (const value of graph.inputs.values()) {
    if (!used.has(value.id)) continue;
    lines.push(`${graph.origin(value)?.kind} ${nameOf(value)} : ${value.dtype}${shapeText(value.shape)}`);
  }
  let scope = "";
  let count = 0;
  for (const node of nodes) {
    if (node.scope !== scope) lines.push(`# ${scope = node.scope}`);
    const outputs = node.outputs.map((v) => {
      names.set(v.id, `%${count++}`);
      return names.get(v.id);
    });
    const attrs = Object.entries(node.attrs).map(([k, v]) => ` ${k}=${show(v)}`).join("");
    const inputs = node.inputs.map((v) => (v ? nameOf(v) : "-")).join(" ");
    const first = node.outputs[0];
    lines.push(`${outputs.join(" ")} = ${node.op} ${inputs}${attrs} : ${first?.dtype}${shapeText(first?.shape ?? [])}`);
  }
  for (const [name, value] of graph.outputs) lines.push(`output ${name} = ${nameOf(value)}`);
  return lines.join("\n") + "\n";
}

function shapeText(shape: Shape): string {
  return `[${shape.join(",")}]`;
}

/** Cutting of a model into parts that run one after another, so that not all of its weights are in memory at once. */
import type { DimValues } from "../graph/ops/dims.ts";
import type { OnnxModel, OnnxNode, OnnxTensor } from "../onnx/model.ts";
import { bytesOf, executionOrder } from "./liveness.ts";
import type { Lowered } from "./lower/lower.ts";

/**
 * Cuts a model into parts, in the order in which they run. A part reads about `limit` bytes of weights at most, not
 * counting its largest, and takes feeds and results of earlier parts as inputs. Cuts are where few bytes are passed on.
 */
export function cutModel({ model, values }: Lowered, dims: DimValues, limit: number): readonly OnnxModel[] {
  const { graph } = model;
  const order = executionOrder(graph.nodes);
  const stored = new Map(graph.initializers.map((tensor) => [tensor.name, tensor]));
  const lastRead = new Map<string, number>();
  order.forEach((node, i) => node.inputs.forEach((name) => lastRead.set(name, i)));
  const crossing = crossingBytes(order, lastRead, (name) => {
    const value = values.get(name);
    return value ? bytesOf(value, dims) : Infinity;
  });
  const ends: number[] = [];
  let read = new Map<string, number>(), from = 0;
  order.forEach((node, i) => {
    for (const name of node.inputs) {
      const tensor = stored.get(name);
      if (tensor && !read.has(name)) read.set(name, sizeOf(tensor));
    }
    const sizes = [...read.values()];
    // The largest weight does not count: otherwise each reader of a table larger than a part would become a part.
    const bytes = sizes.reduce((a, b) => a + b, 0) - Math.max(0, ...sizes);
    if (bytes < limit || i === order.length - 1) return;
    // Cut within the later half of these nodes, where the fewest bytes are passed on.
    let best = i;
    for (let k = i; k > from + (i - from) / 2; k--) if ((crossing[k] ?? 0) < (crossing[best] ?? 0)) best = k;
    if (crossing[best] === Infinity) return;
    ends.push(best + 1);
    from = best + 1;
    read = new Map();
    for (const { inputs } of order.slice(from, i + 1)) {
      for (const name of inputs) {
        const tensor = stored.get(name);
        if (tensor) read.set(name, sizeOf(tensor));
      }
    }
  });
  const outputs = new Set(graph.outputs.map(({ name }) => name));
  return [...ends, order.length].map((end, p) => {
    const nodes = order.slice(ends[p - 1] ?? 0, end);
    const computed = new Set(nodes.flatMap((node) => node.outputs));
    const needed = [...new Set(nodes.flatMap((node) => node.inputs))].filter((name) =>
      name !== "" && !computed.has(name)
    );
    const info = (name: string) =>
      graph.inputs.find((input) => input.name === name) ??
        graph.outputs.find((output) => output.name === name) ?? { name, dtype: values.get(name)?.dtype ?? "float32" };
    return {
      ...model,
      graph: {
        name: graph.name,
        nodes,
        inputs: needed.filter((name) => !stored.has(name)).map(info),
        outputs: [...computed].filter((name) => outputs.has(name) || (lastRead.get(name) ?? -1) >= end).map(info),
        initializers: needed.flatMap((name) => stored.get(name) ?? []),
      },
    };
  });
}

/** Returns the bytes passed on after each node: of values that are computed up to it and read after it. */
function crossingBytes(
  order: readonly OnnxNode[],
  lastRead: ReadonlyMap<string, number>,
  size: (name: string) => number,
): readonly number[] {
  const change = new Array<number>(order.length + 1).fill(0);
  const unknown = new Array<number>(order.length + 1).fill(0);
  order.forEach(({ outputs }, i) => {
    for (const name of outputs) {
      const [end, bytes] = [lastRead.get(name) ?? i, size(name)];
      if (end <= i) continue;
      const sums = Number.isFinite(bytes) ? change : unknown;
      const by = Number.isFinite(bytes) ? bytes : 1;
      sums[i] = (sums[i] ?? 0) + by;
      sums[end] = (sums[end] ?? 0) - by;
    }
  });
  let [bytes, some] = [0, 0];
  return order.map((_, i) => {
    bytes += change[i] ?? 0;
    some += unknown[i] ?? 0;
    return some > 0 ? Infinity : bytes;
  });
}

function sizeOf({ external, data }: OnnxTensor): number {
  return external?.length ?? data?.length ?? 0;
}

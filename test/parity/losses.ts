/**
 * losses.json: values and gradients of loss functions, computed by the runtime.
 * @module
 */
import { readFileSync } from "node:fs";
import { createBuild } from "../../core/engine/build.ts";
import { lower, shapeFeeds } from "../../core/engine/lower.ts";
import { AttuneError } from "../../core/errors.ts";
import { Graph } from "../../core/graph/graph.ts";
import { gradients } from "../../core/graph/vjp.ts";
import { writeOnnx } from "../../core/onnx/write.ts";
import type { Ort, Tensor } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { hostHere } from "../../runtimes/train.ts";
import type { Item } from "./main.ts";

type Nested = number | readonly Nested[];
type LossCase = Readonly<{
  loss: string;
  options: Readonly<Record<string, unknown>>;
  inputs: Readonly<Record<string, Nested>>;
  value: Nested;
  gradient: Readonly<Record<string, Nested>>;
}>;

/** Relative to the largest element: values were computed in float64. */
const TOLERANCE = 2e-5;

/** Items of a losses file. What has no plugin, or not its options, is missing. */
export async function checkLosses(path: string, match: RegExp): Promise<Item[]> {
  const { losses }: { losses: readonly LossCase[] } = JSON.parse(readFileSync(path, "utf8"));
  const items: Item[] = [];
  const lib = (await hostHere(1)).lib as Ort;
  for (const [i, one] of losses.entries()) {
    const name = `losses/${one.loss} ${i}`;
    if (match.test(name)) items.push(await check(lib, one, name));
  }
  return items;
}

async function check(lib: Ort, one: LossCase, name: string): Promise<Item> {
  const entry = catalog.loss?.[one.loss];
  if (!entry) return { name, status: "missing", detail: "no loss of this name" };
  const { labelSmoothing = 0, reduction = "mean", ...options } = one.options;
  const parsed = entry.parse(options);
  const [first, second, ...more] = Object.entries(one.inputs);
  if (parsed.issues || reduction === "none" || !first || !second || more.length > 0) {
    return { name, status: "missing", detail: `options ${JSON.stringify(one.options)} are not built` };
  }
  const loss = parsed.value;
  try {
    const graph = new Graph();
    const { build } = createBuild({
      graph,
      mode: "train",
      attached: [],
      initializerRange: 0.02,
      labelSmoothing: Number(labelSmoothing),
      checkpointing: false,
      targets: {},
      trains: () => true,
    });
    const output = tensorOf(first[1], false);
    const target = tensorOf(second[1], loss.name === "cross-entropy");
    const x = graph.input(first[0], "float32", output.dims);
    const sum = loss.sum(build, x, graph.input(second[0], target.dtype, target.dims));
    graph.output("value", sum);
    const [gradient] = gradients(sum, [x]);
    if (gradient?.dense) graph.output("gradient", gradient.dense);
    const { model, feeds, shapes } = lower(graph, () => ({ as: "feed" }));
    const session = await lib.InferenceSession.create(writeOnnx(model), {
      graphOptimizationLevel: "disabled",
      logSeverityLevel: 3,
    });
    const fed = Object.fromEntries([...feeds.keys()].map((key) => {
      const t = key === first[0] ? output : target;
      return [key, new lib.Tensor(t.dtype, t.data, t.dims)];
    }));
    for (const [key, data] of shapeFeeds(shapes, {})) fed[key] = new lib.Tensor("int64", data, [data.length]);
    const results = await session.run(fed);
    await session.release();
    const scale = reduction === "sum" ? 1 : 1 / loss.count(target);
    const value = scale * ((results.value?.data as Float32Array)[0] ?? NaN);
    const found = [...(results.gradient?.data as Float32Array)].map((g) => g * scale);
    const wanted = flat(one.gradient[first[0]] ?? []);
    const worst = Math.max(...wanted.map((g, i) => Math.abs(g - (found[i] ?? NaN)))) /
      Math.max(1e-3, ...wanted.map(Math.abs));
    const off = Math.abs(value - Number(one.value)) / Math.max(1, Math.abs(Number(one.value)));
    const ok = off <= TOLERANCE && worst <= TOLERANCE;
    return {
      name,
      status: ok ? "ok" : "differs",
      detail: `value ${off.toExponential(1)}, gradient ${worst.toExponential(1)}`,
    };
  } catch (error) {
    return {
      name,
      status: error instanceof AttuneError ? "missing" : "differs",
      detail: error instanceof Error ? error.message : String(error),
    };
  }
}

function flat(value: Nested): number[] {
  return typeof value === "number" ? [value] : value.flatMap(flat);
}

function tensorOf(value: Nested, integers: boolean): Tensor {
  const dims: number[] = [];
  for (let part: Nested | undefined = value; typeof part === "object"; part = part[0]) dims.push(part.length);
  const data = flat(value);
  return integers && data.every(Number.isInteger)
    ? { dtype: "int32", dims, data: Int32Array.from(data) }
    : { dtype: "float32", dims, data: Float32Array.from(data) };
}

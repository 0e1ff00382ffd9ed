/** Individually trained rows of embedding tables. */
import { badValue } from "../../../core/base/errors.ts";
import { apply, cast, equal, gather, maximum, mul, reshape, sub, where } from "../../../core/graph/ops/functions.ts";
import { matches } from "../../../core/patterns/module_patterns.ts";
import type { GraphBuilder, HookPoints, InspectedBackbone, Named, Value } from "../../../core/types.ts";
import type { LoraOptions } from "./options.ts";
import { deltaOf, type Matrix, type TokenRows } from "./plan.ts";

/** Returns the embedding rows that the options name. */
export function tokenRows(
  plugin: string,
  { trainableTokenIndices }: LoraOptions,
  backbone: InspectedBackbone,
): TokenRows {
  const rows = new Map<string, Readonly<{ path: string; ids: readonly number[] }>>();
  if (trainableTokenIndices === null) return rows;
  const named = Array.isArray(trainableTokenIndices)
    ? { [backbone.wordEmbeddings]: trainableTokenIndices as readonly number[] }
    : trainableTokenIndices as Named<readonly number[]>;
  for (const [module, ids] of Object.entries(named)) {
    const paths = [...backbone.embeddings, backbone.wordEmbeddings];
    const path = paths.find((path) => matches(path, [module]));
    if (path === undefined) {
      throw badValue(plugin, "adapter.with.trainableTokenIndices", module, `one of ${paths.join(", ")}`);
    }
    const wrong = ids.find((id) => path === backbone.wordEmbeddings && id >= backbone.vocabSize);
    if (wrong !== undefined) {
      throw badValue(plugin, "adapter.with.trainableTokenIndices", wrong, `ids below ${backbone.vocabSize}`);
    }
    rows.set(path, { path, ids });
  }
  return rows;
}

/** Returns the trained rows [n, dim], which start as the table's. */
function deltaRows(b: GraphBuilder, path: string, ids: readonly number[], dim: number): Value {
  return b.parameter(deltaOf(path), [ids.length, dim], async (weights) => {
    const { data } = await weights.read(`${path}.weight`);
    const rows = new Float32Array(ids.length * dim);
    ids.forEach((id, i) => rows.set(data.subarray(id * dim, (id + 1) * dim), i * dim));
    return rows;
  });
}

/** Returns looked-up rows [tokens, dim] with the trained rows in their place. */
export function replaceLookedUp(
  b: GraphBuilder,
  path: string,
  ids: readonly number[],
  call: HookPoints["embedding"],
  y: Value,
): Value {
  const { graph } = b;
  const delta = deltaRows(b, path, ids, call.embeddingDim);
  const numbers = new Int32Array(Number(call.weight.shape[0]));
  ids.forEach((id, i) => (numbers[id] = i + 1));
  const table = graph.constant({ dtype: "int32", dims: [numbers.length], data: numbers });
  const [places = 1] = y.shape;
  const number = reshape(gather(table, call.ids), [places]);
  const rows = gather(delta, maximum(sub(number, 1), 0));
  return where(equal(reshape(number, [places, 1]), 0), y, call.scale === 1 ? rows : mul(rows, call.scale));
}

/** Returns a table [n, dim] with the trained rows in their place, as a graph value. */
export function replaceRows(b: GraphBuilder, path: string, ids: readonly number[], weight: Value): Value {
  const delta = deltaRows(b, path, ids, Number(weight.shape[1]));
  const index = b.graph.constant({ dtype: "int64", dims: [ids.length, 1], data: BigInt64Array.from(ids, BigInt) });
  const old = gather(weight, cast(reshape(index, [ids.length]), "int32"));
  return apply("ScatterND", [weight, index, sub(delta, old)], {});
}

/** Returns a table with the trained rows in their place, on the host. */
export function withRows(table: Matrix, ids: readonly number[], rows: Matrix): Matrix {
  const data = Float32Array.from(table.data);
  const width = table.dims[1] ?? 1;
  ids.forEach((id, i) => data.set(rows.data.subarray(i * width, (i + 1) * width), id * width));
  return { ...table, data };
}

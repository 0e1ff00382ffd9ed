/** Linear layers and embeddings, whose parameters are named by their modules' paths. */
import { missing } from "../../base/errors.ts";
import * as f from "../../graph/ops/functions.ts";
import { sizeOfShape } from "../../graph/ops/dims.ts";
import type { Value } from "../../graph/graph.ts";
import type { EmbeddingOptions, HookPoints, LinearOptions } from "../../types.ts";
import type { BuildContext } from "./context.ts";

/** Builds x Wᵀ + b through middleware. */
export function linear(context: BuildContext, path: string, x: Value, o: LinearOptions): Value {
  const { options: { graph }, parameters, modules } = context;
  modules.linears.set(path, o);
  const inFeatures = x.shape.at(-1);
  if (typeof inFeatures !== "number") throw missing("graph", "a fixed input size", path);
  const { outFeatures } = o;
  const stored = parameters.declare(
    sharedName(context, path, "weight", o.tied),
    o.conv1d ? [inFeatures, outFeatures] : [outFeatures, inFeatures],
    o.init,
  );
  const weight = o.conv1d ? f.transpose(stored) : stored; // [out, in]
  const bias = o.bias === false
    ? undefined
    : parameters.declare(sharedName(context, path, "bias", o.tiedBias), [outFeatures], "zeros");
  const call = { path, x, weight, bias, inFeatures, outFeatures };
  return graph.within(path, () => context.applyMiddleware("linear", call, product));
}

function product({ x, weight, bias }: HookPoints["linear"]): Value {
  const producer = weight.graph.producer(weight);
  const transposed = producer?.op === "Transpose" ? producer.inputs[0] : undefined;
  return transposed ? f.gemm(x, transposed, bias) : f.gemm(x, weight, bias, { transB: true });
}

/** Looks up ids in an embedding table, through middleware. */
export function embedding(context: BuildContext, path: string, ids: Value, o: EmbeddingOptions): Value {
  const { options: { graph }, parameters, modules } = context;
  modules.embeddings.set(path, o);
  const origin = graph.origin(ids);
  const weight = parameters.declare(
    sharedName(context, path, "weight", o.tied),
    [o.numEmbeddings, o.embeddingDim],
    o.init,
    { paddingIdx: o.paddingIdx, ids: origin?.kind === "input" ? origin.name : undefined },
  );
  const { embeddingDim, scale = 1, side = "input" } = o;
  const call = { path, ids, weight, embeddingDim, scale, side };
  return graph.within(path, () => context.applyMiddleware("embedding", call, lookUp));
}

function lookUp({ ids, weight, embeddingDim, scale }: HookPoints["embedding"]): Value {
  return scaled(f.reshape(f.gather(weight, ids), [sizeOfShape(ids.shape), embeddingDim]), scale);
}

// Returns the name of a tied tensor: that of the other module, unless the checkpoint or an adapter has untied them.
function sharedName(
  { options: { attached, untied }, modules }: BuildContext,
  path: string,
  part: "weight" | "bias",
  source: string | undefined,
): string {
  const name = `${path}.${part}`;
  if (source === undefined) return name;
  modules.ties.set(name, source);
  const other = source.slice(0, source.lastIndexOf("."));
  const isApart = untied?.includes(name) || attached.some((a) => a.copies?.(path) || a.copies?.(other));
  return isApart ? name : source;
}

/** Builds a linear layer for middleware, without middleware around it. */
export function plainLinear({ parameters }: BuildContext, path: string, x: Value, o: LinearOptions): Value {
  const weight = parameters.declare(`${path}.weight`, [o.outFeatures, x.shape.at(-1) as number]);
  const bias = o.bias === false ? undefined : parameters.declare(`${path}.bias`, [o.outFeatures], "zeros");
  return f.gemm(x, weight, bias, { transB: true });
}

/** Builds an embedding for middleware, without middleware around it. */
export function plainEmbedding({ parameters }: BuildContext, path: string, ids: Value, o: EmbeddingOptions): Value {
  return scaled(f.gather(parameters.declare(`${path}.weight`, [o.numEmbeddings, o.embeddingDim]), ids), o.scale);
}

function scaled(x: Value, by = 1): Value {
  return by === 1 ? x : f.mul(x, by);
}

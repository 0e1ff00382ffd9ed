/** The update of an attached LoRA or DoRA in a graph. */
import { badValue, missing } from "../../../core/base/errors.ts";
import {
  add,
  detach,
  div,
  gather,
  gemm,
  mul,
  reshape,
  sqrt,
  square,
  sub,
  sum,
  transpose,
} from "../../../core/graph/ops/functions.ts";
import type { GraphBuilder, HookPoints, Value } from "../../../core/types.ts";
import { rowNorms } from "./merge.ts";
import type { LoraOptions } from "./options.ts";
import { factor, first, type LoraPlan, magnitudeOf, tableFactor } from "./plan.ts";
import { groupsOfInputs, pooled } from "./pooled_inputs.ts";
import { replaceLookedUp, replaceRows } from "./token_rows.ts";

/** Returns x Wᵀ with the layer's update, and with the individually trained rows of its table. */
export function adaptLinear(
  plan: LoraPlan,
  b: GraphBuilder,
  call: HookPoints["linear"],
  next: (call: HookPoints["linear"]) => Value,
): Value {
  const { plugin, options, targets, tokens, shares, updateOf, rankOf, scaleOf, pool, init, parted } = plan;
  const { useDora, loraBias, loraDropout, initLoraWeights } = options;
  const { path, x, inFeatures, outFeatures } = call;
  // A layer whose weight is the table (a language model's output layer) uses the same rows.
  const rows = tokens.get(tableOf(call.weight));
  if (rows) call = { ...call, weight: replaceRows(b, rows.path, rows.ids, call.weight) };
  if (!targets.has(path)) return next(call);
  const y = next(useDora ? { ...call, bias: undefined } : call);
  const r = rankOf(path);
  const scale = scaleOf(path);
  const read = pool === undefined ? inFeatures : groupsOfInputs(plugin, path, inFeatures, pool);
  const shapeA = [r, read];
  const shapeB = [outFeatures, r];
  const [a, bb] = shares(path)
    ? tableFactors(b, updateOf(path), r, outFeatures, inFeatures, initLoraWeights).map((x) => transpose(x))
      .reverse() as [Value, Value]
    : [
      b.parameter(factor(path, "A"), shapeA, init.a(path, read, outFeatures)),
      b.parameter(factor(path, "B"), shapeB, init.b(path, inFeatures, outFeatures)),
    ];
  const dropped = b.dropout(x, loraDropout);
  const through = (x: Value, a: Value, bb: Value, alpha: number, bias?: Value): Value =>
    gemm(gemm(x, a, undefined, { transB: true }), bb, bias && mul(bias, alpha), { alpha, transB: true });
  const bias = loraBias ? b.parameter(`${path}.lora_B.bias`, [outFeatures], "zeros") : undefined;
  const update = through(pool === undefined ? dropped : pooled(dropped, inFeatures, pool), a, bb, scale, bias);
  // Subtracts the separately stored first product: x (W - s B₀A₀)ᵀ.
  const subtractFirst = (x: Value, y: Value): Value => {
    if (!parted) return y;
    const a0 = b.parameter(first(path, "A"), shapeA, init.a(path, inFeatures, outFeatures), { frozen: true });
    const b0 = b.parameter(first(path, "B"), shapeB, init.b(path, inFeatures, outFeatures), { frozen: true });
    return add(y, through(x, a0, b0, -scale));
  };
  if (!useDora) return add(subtractFirst(x, y), update);
  if (parted) {
    throw badValue(plugin, "adapter.with.initLoraWeights", initLoraWeights, "true or gaussian with useDora");
  }
  return withMagnitude(plan, b, call, { a, b: bb, y, update, dropped });
}

/** DoRA: the adapted weight with rows of length 1, times a trained magnitude. */
function withMagnitude(
  { backbone, scaleOf }: LoraPlan,
  b: GraphBuilder,
  call: HookPoints["linear"],
  factors: Readonly<{ a: Value; b: Value; y: Value; update: Value; dropped: Value }>,
): Value {
  const { path, x, outFeatures } = call;
  const { y, update, dropped } = factors;
  const magnitude = b.parameter(magnitudeOf(path), [outFeatures], async (weights) => {
    const { data, dims } = await weights.read(`${path}.weight`);
    return rowNorms(
      data,
      backbone.conv1ds.includes(path) ? [dims[1] ?? 1, dims[0] ?? 1] : dims,
      backbone.conv1ds.includes(path),
    );
  });
  // The gradient treats ‖W + s B A‖ as a constant, as in the paper.
  const whole = gemm(factors.b, factors.a, call.weight, { alpha: scaleOf(path) });
  const share = div(magnitude, detach(sqrt(sum(square(whole), -1)))); // [out]
  // With dropout, the base term is of x, but its change by the magnitude is of the dropped x, as in PEFT.
  const change = dropped === x
    ? mul(y, share)
    : add(y, mul(gemm(dropped, call.weight, undefined, { transB: true }), sub(share, 1)));
  const result = add(change, mul(update, share));
  return call.bias ? add(result, call.bias) : result;
}

/** Looks up a table's rows, with the individually trained ones in place, and adds the table's update. */
export function adaptEmbedding(
  plan: LoraPlan,
  b: GraphBuilder,
  call: HookPoints["embedding"],
  next: (call: HookPoints["embedding"]) => Value,
): Value {
  const { plugin, options: { useDora, initLoraWeights }, targets, tokens, updateOf, rankOf, scaleOf } = plan;
  const { path, ids, embeddingDim, scale } = call;
  const rows = tokens.get(path) ?? tokens.get(tableOf(call.weight));
  let y = next(call);
  if (rows) y = replaceLookedUp(b, rows.path, rows.ids, call, y);
  if (!targets.has(path)) return y;
  if (useDora) throw badValue(plugin, "adapter.with.targetModules", path, "no embeddings with useDora");
  const r = rankOf(path);
  const count = call.weight.shape[0];
  if (typeof count !== "number") throw missing(plugin, "a table of fixed size", path);
  const [a, bb] = tableFactors(b, updateOf(path), r, count, embeddingDim, initLoraWeights);
  const inner = reshape(gather(transpose(a), ids), [y.shape[0] ?? 1, r]);
  return add(y, gemm(inner, bb, undefined, { alpha: scale * scaleOf(path), transB: true }));
}

/** Returns A [r, count] and B [dim, r] of a table's update. */
function tableFactors(
  b: GraphBuilder,
  path: string,
  r: number,
  count: number,
  dim: number,
  how: LoraOptions["initLoraWeights"],
): [a: Value, b: Value] {
  return [
    b.parameter(tableFactor(path, "A"), [r, count], how === false ? { normal: 1 } : "zeros"),
    b.parameter(tableFactor(path, "B"), [dim, r], { normal: 1 }),
  ];
}

/** Returns the path of the module whose table a weight is. */
function tableOf(weight: Value): string {
  const origin = weight.graph.origin(weight);
  return origin?.kind === "parameter" ? origin.name.replace(/\.weight$/, "") : "";
}

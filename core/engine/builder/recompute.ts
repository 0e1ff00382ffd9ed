/** Layers, and gradient checkpointing, which recomputes their values in the backward pass instead of keeping them. */
import * as f from "../../graph/ops/functions.ts";
import { reachable, type Value } from "../../graph/graph.ts";
import { backward } from "../../graph/autodiff.ts";
import type { HookPoints } from "../../types.ts";
import type { BuildContext } from "./context.ts";

/** Builds a layer through middleware; `also`: further values computed earlier that it reads. */
export function layer(
  context: BuildContext,
  path: string,
  x: Value,
  body: (x: Value) => Value,
  also: readonly Value[] = [],
): Value {
  const { options, dropout, modules } = context;
  const site = dropout.nextSite();
  const within = ({ x }: HookPoints["layer"]): Value => options.graph.within(path, () => body(x));
  const run = (x: Value): Value => context.applyMiddleware("layer", { path, x, hiddenSize: hiddenSizeOf(x) }, within);
  const y = run(x);
  const output = options.checkpointing && options.mode === "train"
    ? recompute(context, [x, ...also], y, (x) => dropout.again(site, () => run(x)))
    : y;
  modules.layers.push({ path, output });
  return output;
}

// The layer is built again from x when its gradient is wanted. A true dependency on the incoming gradient
// (+ 0 · max dy) keeps the runtime from computing that copy early or finding it equal to the first one.
function recompute(context: BuildContext, from: readonly Value[], y: Value, again: (x: Value) => Value): Value {
  const { options: { graph }, modules: { layers, attentions } } = context;
  const x = from[0] as Value;
  // A further value that the layer reads may be a parameter itself.
  const inputs = [...new Set([...from, ...trainedBetween(context, from, y)])];
  return graph.withVjp(inputs, [y], ([dy], needs) => {
    if (!dy) return inputs.map(() => undefined);
    const gated = f.add(x, f.mul(f.max(dy), 0));
    // The first build has recorded the layers and attentions inside; the copy must not record them again.
    const lengths = [layers.length, attentions.length] as const;
    const copy = again(gated);
    [layers.length, attentions.length] = lengths;
    const wrt = inputs.map((v, i) => (i === 0 ? gated : v));
    return backward([copy], [dy], wrt).map((g, i) => (needs[i] ? g.dense : undefined));
  }, true)[0] as Value;
}

/** Returns the trained parameters in the computation from some values to another. */
function trainedBetween({ parameters }: BuildContext, from: readonly Value[], to: Value): readonly Value[] {
  const before = new Set(reachable(from));
  const inside = reachable([to]).filter((node) => !before.has(node));
  return [...parameters.all.values()].map((p) => p.value)
    .filter((v) => parameters.isTrained(v) && inside.some((node) => node.inputs.includes(v)));
}

/** Returns the last dim of hidden states, which is never symbolic. */
export function hiddenSizeOf(x: Value): number {
  const size = x.shape.at(-1);
  return typeof size === "number" ? size : 0;
}

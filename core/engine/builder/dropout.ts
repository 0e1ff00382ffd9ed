/** Dropout and noise: graph inputs that the host fills with random numbers, addressed by the site that uses them. */
import * as f from "../../graph/ops/functions.ts";
import { addDims, mulDims } from "../../graph/ops/dims.ts";
import type { Shape, Value } from "../../graph/graph.ts";
import { swapHeadsAndPlaces } from "./heads_first.ts";
import { type BuildOptions, drawsRandomly } from "./options.ts";

/** A dropout site: a mask that the host draws and feeds as `name`; without `p`, uniform numbers from -1 to 1. */
export type DropoutMask = Readonly<{ name: string; site: number; p: number | undefined; shape: Shape }>;

/** The randomness of a build. */
export type Dropout = Readonly<{
  masks: ReadonlyMap<string, DropoutMask>;
  apply(x: Value, p: number): Value;
  noise(like: Value): Value;
  /** Applies dropout to attention probabilities, where each query sees `prefix` keys in front of the sequence. */
  ofAttention(probabilities: Value, p: number, prefix: number): Value;
  /** Returns the graph input for the numbers of a site. */
  mask(mask: DropoutMask): Value;
  /** Returns the number of the next site. */
  nextSite(): number;
  /** Runs `make` with sites counted from an earlier one, so that the same numbers are used again. */
  again<T>(site: number, make: () => T): T;
}>;

/** Creates the randomness of a graph under construction. */
export function createDropout(options: BuildOptions): Dropout {
  const { graph } = options;
  const draws = drawsRandomly(options);
  const masks = new Map<string, DropoutMask>();
  let next = 0;
  const mask = (mask: DropoutMask): Value => {
    masks.set(mask.name, mask);
    return graph.input(mask.name, "float32", mask.shape);
  };
  const drop = (site: number, p: number, shape: Shape): Value => mask({ name: `dropout.${site}`, site, p, shape });
  const apply = (x: Value, p: number): Value => draws && p > 0 ? f.mul(x, drop(next++, p, x.shape)) : x;
  return {
    masks,
    mask,
    apply,
    noise: (like) => {
      if (!draws) return f.zeros(like, like.shape);
      const site = next++;
      return mask({ name: `noise.${site}`, site, p: undefined, shape: like.shape });
    },
    // The masks of prefix keys are drawn separately, one row per query.
    ofAttention: (x, p, prefix) => {
      if (!draws || p <= 0 || prefix === 0) return apply(x, p);
      const [batch = "batch", heads = 1, queries = "seq", keys = "seq"] = x.shape;
      const [a, b] = [next++, next++];
      const front = drop(a, p, [mulDims(batch, queries), mulDims(heads, prefix)]);
      const rest = drop(b, p, [batch, heads, queries, addDims(keys, -prefix)]);
      return f.mul(x, f.concat([swapHeadsAndPlaces(f.reshape(front, [batch, queries, heads, prefix])), rest], 3));
    },
    nextSite: () => next,
    again: (site, make) => {
      const end = next;
      next = site;
      const mask = make();
      next = end;
      return mask;
    },
  };
}

/** Methods of merging adapters, named as in PEFT's add_weighted_adapter. */
import type { Random } from "../../../core/types.ts";
import { disjointMean, type MajoritySignMethod, pruneByMagnitude, pruneByMask, weightedSum } from "./arithmetic.ts";

/** All methods. `_svd`: whole updates B A are combined and decomposed; without it, A and B are combined separately. */
export const mergeMethods = [
  "linear",
  "cat",
  "svd",
  "ties",
  "ties_svd",
  "dare_linear",
  "dare_ties",
  "dare_linear_svd",
  "dare_ties_svd",
  "magnitude_prune",
  "magnitude_prune_svd",
] as const;

/** The name of a method. */
export type MergeMethod = (typeof mergeMethods)[number];

/** Returns the mask of values of a tensor to keep (1) or drop (0) in `dare` methods. */
export type DareMask = (tensor: string, adapter: number, length: number) => ArrayLike<number>;

/** How tensors are combined. */
export type Combination = Readonly<{
  method: MergeMethod;
  /** The share of values that is kept. */
  density: number;
  majoritySignMethod: MajoritySignMethod;
  mask: DareMask;
}>;

/** Returns masks drawn from a random stream, each at its own address. */
export function drawnMask(random: Random, density: number): DareMask {
  return (tensor, adapter, length) => {
    const stream = random.fork("dare", tensor, adapter);
    return Uint8Array.from({ length }, (_, i) => (stream.uniform(i) < density ? 1 : 0));
  };
}

/** Combines one tensor of several adapters. `adapters`: their indices, which address the random masks. */
export function combine(
  name: string,
  tasks: readonly Float64Array[],
  weights: readonly number[],
  adapters: readonly number[],
  { method, density, majoritySignMethod, mask }: Combination,
): Float64Array {
  const way = method.replace(/_svd$/, "");
  const pruned = way === "ties" || way === "magnitude_prune"
    ? tasks.map((task) => pruneByMagnitude(task, density))
    : way.startsWith("dare_") && density < 1
    ? tasks.map((task, i) => pruneByMask(task, mask(name, adapters[i] ?? i, task.length), density))
    : tasks;
  return way.endsWith("ties") ? disjointMean(pruned, weights, majoritySignMethod) : weightedSum(pruned, weights);
}

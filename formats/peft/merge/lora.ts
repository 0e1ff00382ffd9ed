/** Merging of LoRA adapters: their modules, with ranks and sizes, and the source of each merged tensor. */
import { badValue, missing, tooMuch } from "../../../core/base/errors.ts";
import type { TensorForm } from "../../../core/files/safetensors.ts";
import type { Named, Tensor } from "../../../core/types.ts";
import { mergedTargets, savedModules } from "./adapter_modules.ts";
import type { OpenedAdapter } from "./config.ts";
import { type Factors, isFactored, mergedFactors } from "./lora_factors.ts";
import type { MergedAdapter, MergeOptions } from "./merged_adapter.ts";
import type { Combination, MergeMethod } from "./methods.ts";

/** The suffixes of a module's two factors. */
const pairs: readonly (readonly [a: string, b: string])[] = [
  [".lora_A.weight", ".lora_B.weight"],
  [".lora_embedding_A", ".lora_embedding_B"],
];

type Pair = readonly [a: string, b: string];

/** The sizes of a merged module. */
type Sizes = Readonly<{ inFeatures: number; outFeatures: number; rank: number }>;

/** Merges LoRA adapters. Throws AttuneError if ranks or sizes do not fit. */
export function mergeLora(
  opened: readonly OpenedAdapter[],
  weights: readonly number[],
  combination: Combination,
  options: MergeOptions,
): MergedAdapter {
  const rank = mergedRank(opened, combination.method, options);
  const whole = savedModules(opened, (name) => pairOf(name) !== undefined, options);
  const has = opened.map(({ names }) => new Set(names));
  const forms: Record<string, TensorForm> = {};
  const rankPattern: Record<string, number> = {};
  for (const [path, [a, b]] of adaptedModules(opened)) {
    const having = opened.filter((_, i) => has[i]?.has(path + a));
    const sizes = mergedSizes(path, [a, b], having, combination.method, rank, options);
    if (sizes.rank !== rank) rankPattern[path.replace(/^base_model\.model\./, "")] = sizes.rank;
    forms[path + a] = { dtype: "float32", dims: [sizes.rank, sizes.inFeatures] };
    forms[path + b] = { dtype: "float32", dims: [sizes.outFeatures, sizes.rank] };
  }
  for (const [name, from] of whole) forms[name] = from.form(name);
  const [{ config }] = opened as [OpenedAdapter];
  return {
    config: {
      ...config,
      r: rank,
      // A and B contain the scale of the update.
      lora_alpha: rank,
      use_rslora: false,
      rank_pattern: rankPattern,
      alpha_pattern: rankPattern,
      init_lora_weights: true,
      target_modules: mergedTargets(opened),
      modules_to_save: (opened.find((o) => [...whole.values()].includes(o)) ?? opened[0])?.config.modules_to_save ??
        null,
    },
    forms,
    read: readerOf(forms, whole, (path, pair, r) => mergedFactors(path, pair, opened, weights, combination, r)),
  };
}

/** Returns the rank of modules that are not in the merged rank_pattern. */
function mergedRank(opened: readonly OpenedAdapter[], method: MergeMethod, { svdRank }: MergeOptions): number {
  const ranks = opened.map(({ config }) =>
    Math.max(Number(config.r), ...Object.values((config.rank_pattern ?? {}) as Named<number>))
  );
  if (method === "cat") return ranks.reduce((a, b) => a + b, 0);
  if (method.endsWith("svd")) return svdRank ?? Math.max(...ranks);
  if (new Set(ranks).size > 1) {
    throw badValue("merge", "r", ranks, `one rank for ${method} (cat and the _svd methods take several)`);
  }
  return ranks[0] ?? 0;
}

function pairOf(name: string): Pair | undefined {
  return pairs.find((pair) => pair.some((suffix) => name.endsWith(suffix)));
}

/** Returns the paths of all modules that any adapter updates, with the suffixes of their factors. */
function adaptedModules(opened: readonly OpenedAdapter[]): ReadonlyMap<string, Pair> {
  const modules = new Map<string, Pair>();
  for (const { names } of opened) {
    for (const name of names) {
      const pair = pairs.find(([a]) => name.endsWith(a));
      if (pair) modules.set(name.slice(0, -pair[0].length), pair);
    }
  }
  return modules;
}

/** Returns the sizes of a module's merged factors. Throws AttuneError if adapters differ, or it would take too much. */
function mergedSizes(
  path: string,
  [a, b]: Pair,
  having: readonly OpenedAdapter[],
  method: MergeMethod,
  rank: number,
  options: MergeOptions,
): Sizes {
  const [firstRank = 0, inFeatures = 0] = having[0]?.form(path + a).dims ?? [];
  const [outFeatures = 0] = having[0]?.form(path + b).dims ?? [];
  const decomposes = method.endsWith("svd");
  for (const { form, label } of having) {
    const [dimsA, dimsB] = [form(path + a).dims, form(path + b).dims];
    const fits = dimsA[1] === inFeatures && dimsB[0] === outFeatures && dimsA[0] === dimsB[1];
    const sameRank = decomposes || method === "cat" || dimsA[0] === firstRank;
    if (!fits || !sameRank) {
      throw badValue("merge", `${label}: ${path}`, [dimsA, dimsB], "factors of the other adapters' sizes");
    }
  }
  const most = decomposes ? Math.min(rank, outFeatures, inFeatures) : method === "cat" ? rank : firstRank;
  const ranks = having.map(({ form }) => form(path + a).dims[0] ?? 0);
  checkRoom(path, ranks, { inFeatures, outFeatures, rank: most }, method, options);
  return { inFeatures, outFeatures, rank: most };
}

/** Estimates a module's memory and computation beforehand. Throws AttuneError if they exceed what the options allow. */
function checkRoom(
  path: string,
  ranks: readonly number[],
  { inFeatures, outFeatures, rank: most }: Sizes,
  method: MergeMethod,
  { maxBytes = Infinity, maxSteps = Infinity }: MergeOptions,
): void {
  const [sides, rank] = [inFeatures + outFeatures, ranks.reduce((sum, r) => sum + r, 0)];
  const dense = method.endsWith("svd") && !isFactored(method, rank, inFeatures, outFeatures);
  // Factors and their result; for methods over whole updates also each update and their combination.
  const values = sides * (2 * rank + most) + (dense ? (ranks.length + 2) * inFeatures * outFeatures : 0);
  const steps = dense
    ? inFeatures * outFeatures * (rank + 4 * most + 16)
    : method === "svd"
    ? 4 * sides * rank * (rank + most) + 64 * rank ** 3
    : sides * rank;
  if (8 * values > maxBytes) throw tooMuch("merge", path, "bytes of memory for one module", 8 * values, maxBytes);
  if (steps > maxSteps) throw tooMuch("merge", path, "steps of computation for one module", steps, maxSteps);
}

/** Returns a reader of merged tensors. A module's A and B are computed together, and read one after the other. */
function readerOf(
  forms: Named<TensorForm>,
  whole: ReadonlyMap<string, OpenedAdapter>,
  compute: (path: string, pair: Pair, rank: number) => Promise<Factors>,
): MergedAdapter["read"] {
  let last: { path: string; factors: Promise<Factors> } | undefined;
  return async (name): Promise<Tensor<Float32Array>> => {
    const from = whole.get(name);
    if (from) return await from.read(name);
    const pair = pairOf(name);
    const suffix = pair?.find((s) => name.endsWith(s)) ?? "";
    const path = name.slice(0, -suffix.length);
    const form = forms[name];
    if (!pair || !form) throw missing("merge", `tensor "${name}"`, "the merged adapter");
    if (last?.path !== path) last = { path, factors: compute(path, pair, forms[path + pair[0]]?.dims[0] ?? 0) };
    const factors = await last.factors;
    return { dtype: "float32", dims: form.dims, data: Float32Array.from(suffix === pair[0] ? factors.a : factors.b) };
  };
}

/**
 * Several saved adapters as one, tensor by tensor: LoRA by every method, IA3 by sums.
 * @module
 */
import { badValue, missing, refused, tooMuch } from "../errors.ts";
import { qr, topSingular } from "../linear_algebra.ts";
import { patternValue } from "../modules.ts";
import { createRandom } from "../random.ts";
import { streamSafetensors, type TensorForm } from "../safetensors.ts";
import type { Json, Named, Store, Tensor } from "../types.ts";
import { type Combination, combine, type DareMask, drawnMask, type MergeMethod, mergeMethods } from "./methods.ts";
import { openAdapter, type OpenedAdapter } from "./config.ts";
import type { MajoritySignMethod } from "./arithmetic.ts";

/** How adapters are merged. */
export type MergeOptions = Readonly<{
  method: MergeMethod;
  /** One per adapter; absent: equal, adding up to 1. */
  weights?: readonly number[];
  /** Share of the values that pruning keeps: needed by ties, dare_* and magnitude_prune. */
  density?: number;
  majoritySignMethod?: MajoritySignMethod;
  /** Rank of what is decomposed again; absent: the largest of the adapters'. */
  svdRank?: number;
  /** The number of the adapter whose wholly trained modules (a classifier) are taken, where several have them. */
  modulesFrom?: number;
  /** Seed of dare's masks. */
  seed?: number;
  /** Masks given rather than drawn. */
  masks?: DareMask;
  /** Bytes and elementary steps that one module may take while it is merged; absent: any number. */
  maxBytes?: number;
  maxSteps?: number;
}>;

/** A merged adapter, its tensors computed when they are read. */
export type MergedAdapter = Readonly<{
  config: Named<Json>;
  /** The names of a classifier's classes, of the adapter whose classifier is taken. */
  head?: Named<Json> | undefined;
  forms: Named<TensorForm>;
  read(name: string): Promise<Tensor<Float32Array>>;
}>;

/** The suffixes of a module's two factors. */
const pairs: readonly (readonly [a: string, b: string])[] = [
  [".lora_A.weight", ".lora_B.weight"],
  [".lora_embedding_A", ".lora_embedding_B"],
];

/**
 * Opens adapters (stores of their directories) and says what they merge to.
 *
 * @throws as `combineAdapters`.
 */
export async function mergeAdapters(
  adapters: readonly Readonly<{ label: string; store: Store }>[],
  options: MergeOptions,
): Promise<MergedAdapter> {
  const opened: OpenedAdapter[] = [];
  for (const { label, store } of adapters) opened.push(await openAdapter(label, store));
  return combineAdapters(opened, options);
}

/**
 * What opened adapters merge to.
 *
 * @throws AttuneError where they are of different kinds or shapes, or the options do not fit.
 */
export function combineAdapters(opened: readonly OpenedAdapter[], options: MergeOptions): MergedAdapter {
  const [first] = opened;
  if (!first) throw badValue("merge", "adapters", 0, "at least one adapter");
  const { weights, combination } = checkedOptions(opened.length, options);
  const type = first.config.peft_type;
  for (const { config, label } of opened) {
    if (config.peft_type !== type) throw badValue("merge", label, config.peft_type, `an adapter of type ${type}`);
  }
  const head = (options.modulesFrom === undefined ? opened.find((own) => own.head) : opened[options.modulesFrom])?.head;
  if (type === "IA3") return { ...mergeIa3(opened, weights, combination, options), head };
  if (type !== "LORA") throw badValue("merge", first.label, type, "LoRA or IA3");
  for (const { config, label } of opened) {
    if (config.use_dora === true || config.lora_bias === true) {
      throw badValue("merge", label, config.use_dora ? "use_dora" : "lora_bias", "a LoRA of A and B alone");
    }
  }
  return { ...mergeLora(opened, weights, combination, options), head };
}

/** A merged adapter as one that was opened. */
export function mergedAsOpened(
  { config, head, forms, read }: MergedAdapter,
  label = "the merged adapter",
): OpenedAdapter {
  const form = (name: string): TensorForm => {
    const found = forms[name];
    if (!found) throw missing("merge", `tensor "${name}"`, label);
    return found;
  };
  return { label, config, head, names: Object.keys(forms), form, read };
}

/** Writes a merged adapter: adapter_config.json, adapter_model.safetensors, and head_config.json where there is one. */
export async function writeMerged(merged: MergedAdapter, to: Store): Promise<readonly string[]> {
  await to.put("adapter_model.safetensors", streamSafetensors(merged.forms, merged.read));
  await to.put("adapter_config.json", new TextEncoder().encode(JSON.stringify(merged.config, null, 2) + "\n"));
  const written = ["adapter_config.json", "adapter_model.safetensors"];
  return [...written, ...await writeHead(merged, to)];
}

/** Writes the names of a classifier's classes, where there are any. */
export async function writeHead(
  { head }: Readonly<{ head?: Named<Json> | undefined }>,
  to: Store,
): Promise<readonly string[]> {
  if (!head) return [];
  await to.put("head_config.json", new TextEncoder().encode(JSON.stringify(head, null, 2) + "\n"));
  return ["head_config.json"];
}

function checkedOptions(
  count: number,
  o: MergeOptions,
): Readonly<{ weights: readonly number[]; combination: Combination }> {
  if (!mergeMethods.includes(o.method)) {
    throw badValue("merge", "method", o.method, `one of ${mergeMethods.join(", ")}`);
  }
  const weights = o.weights ?? Array.from({ length: count }, () => 1 / count);
  if (weights.length !== count || !weights.every(Number.isFinite)) {
    throw badValue("merge", "weights", weights, `${count} finite numbers, one per adapter`);
  }
  // One adapter alone is only scaled, as in PEFT.
  const method = count === 1 ? "linear" : o.method;
  const prunes = /ties|dare|magnitude/.test(method);
  if (prunes && o.density === undefined) {
    throw badValue("merge", "density", undefined, `a number from 0 to 1 for ${method}`);
  }
  if (o.density !== undefined && !(o.density >= 0 && o.density <= 1 && (o.density > 0 || !method.startsWith("dare")))) {
    throw badValue("merge", "density", o.density, "a number from 0 to 1, above 0 for dare");
  }
  if (o.svdRank !== undefined && (!Number.isInteger(o.svdRank) || o.svdRank < 1)) {
    throw badValue("merge", "svdRank", o.svdRank, "a whole number from 1");
  }
  const density = o.density ?? 1;
  return {
    weights,
    combination: {
      method,
      density,
      majoritySignMethod: o.majoritySignMethod ?? "total",
      mask: o.masks ?? drawnMask(createRandom(o.seed ?? 42), density),
    },
  };
}

/** Wholly trained modules are no sums of anything: at most one adapter may have them, or one is named. */
function savedModules(
  opened: readonly OpenedAdapter[],
  isOwn: (name: string) => boolean,
  { modulesFrom }: MergeOptions,
): ReadonlyMap<string, OpenedAdapter> {
  if (modulesFrom !== undefined && !opened[modulesFrom]) {
    throw badValue("merge", "modulesFrom", modulesFrom, `a number from 0 to ${opened.length - 1}`);
  }
  const found = new Map<string, OpenedAdapter>();
  for (const [i, adapter] of opened.entries()) {
    for (const name of adapter.names) {
      if (isOwn(name) || (modulesFrom !== undefined && modulesFrom !== i)) continue;
      const other = found.get(name);
      // The table that an update is of is the base's, whoever has it.
      if (other && name.includes(".base_layer.")) continue;
      if (other) {
        throw refused(
          "merge",
          `${other.label} and ${adapter.label} both have "${name}", a module that was trained whole and cannot be merged: ` +
            `say with modulesFrom (--modules-from) whose to take`,
        );
      }
      found.set(name, adapter);
    }
  }
  return found;
}

function mergeLora(
  opened: readonly OpenedAdapter[],
  weights: readonly number[],
  combination: Combination,
  options: MergeOptions,
): MergedAdapter {
  const { method } = combination;
  const ranks = opened.map(({ config }) =>
    Math.max(Number(config.r), ...Object.values((config.rank_pattern ?? {}) as Named<number>))
  );
  const decomposed = method.endsWith("svd");
  const rank = method === "cat"
    ? ranks.reduce((a, b) => a + b, 0)
    : decomposed
    ? options.svdRank ?? Math.max(...ranks)
    : ranks[0] ?? 0;
  if (!decomposed && method !== "cat" && new Set(ranks).size > 1) {
    throw badValue("merge", "r", ranks, `one rank for ${method}; cat and the _svd methods take several`);
  }
  const isFactor = (name: string): boolean => pairs.some((pair) => pair.some((suffix) => name.endsWith(suffix)));
  const whole = savedModules(opened, isFactor, options);
  const modules = new Map<string, readonly [a: string, b: string]>();
  const has = opened.map(({ names }) => new Set(names));
  for (const { names } of opened) {
    for (const name of names) {
      const pair = pairs.find(([a]) => name.endsWith(a));
      if (pair) modules.set(name.slice(0, -pair[0].length), pair);
    }
  }
  const forms: Record<string, TensorForm> = {};
  const rankPattern: Record<string, number> = {};
  for (const [path, [a, b]] of modules) {
    const own = opened.filter((_, i) => has[i]?.has(path + a));
    const [, inFeatures = 0] = own[0]?.form(path + a).dims ?? [];
    const [outFeatures = 0] = own[0]?.form(path + b).dims ?? [];
    for (const { form, label } of own) {
      const [dimsA, dimsB] = [form(path + a).dims, form(path + b).dims];
      const fits = dimsA[1] === inFeatures && dimsB[0] === outFeatures && dimsA[0] === dimsB[1];
      const sameRank = decomposed || method === "cat" || dimsA[0] === own[0]?.form(path + a).dims[0];
      if (!fits || !sameRank) {
        throw badValue("merge", `${label}: ${path}`, [dimsA, dimsB], "factors of the other adapters' sizes");
      }
    }
    const most = decomposed
      ? Math.min(rank, outFeatures, inFeatures)
      : method === "cat"
      ? rank
      : own[0]?.form(path + a).dims[0] ?? 0;
    checkRoom(
      path,
      own.map(({ form }) => form(path + a).dims[0] ?? 0),
      { inFeatures, outFeatures, most },
      method,
      options,
    );
    if (most !== rank) rankPattern[path.replace(/^base_model\.model\./, "")] = most;
    forms[path + a] = { dtype: "float32", dims: [most, inFeatures] };
    forms[path + b] = { dtype: "float32", dims: [outFeatures, most] };
  }
  for (const [name, from] of whole) forms[name] = from.form(name);

  // A and B of a module come of one computation, and are asked for one after the other.
  let last: { path: string; factors: Promise<Factors> } | undefined;
  const read = async (name: string): Promise<Tensor<Float32Array>> => {
    const from = whole.get(name);
    if (from) return await from.read(name);
    const pair = pairs.find((p) => p.some((suffix) => name.endsWith(suffix)));
    const suffix = pair?.find((s) => name.endsWith(s)) ?? "";
    const path = name.slice(0, -suffix.length);
    const form = forms[name];
    if (!pair || !form) throw missing("merge", `tensor "${name}"`, "the merged adapter");
    if (last?.path !== path) {
      last = {
        path,
        factors: mergedFactors(path, pair, opened, weights, combination, forms[path + pair[0]]?.dims[0] ?? 0),
      };
    }
    const factors = await last.factors;
    return { dtype: "float32", dims: form.dims, data: Float32Array.from(suffix === pair[0] ? factors.a : factors.b) };
  };
  const [{ config }] = opened as [OpenedAdapter];
  return {
    config: {
      ...config,
      r: rank,
      // The update is whole in A and B: its scale is 1.
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
    read,
  };
}

/** Looks what a module will take, before it is begun. Throws AttuneError where that is more than the options allow. */
function checkRoom(
  path: string,
  ranks: readonly number[],
  { inFeatures, outFeatures, most }: Readonly<{ inFeatures: number; outFeatures: number; most: number }>,
  method: MergeMethod,
  { maxBytes = Infinity, maxSteps = Infinity }: MergeOptions,
): void {
  const [sides, rank] = [inFeatures + outFeatures, ranks.reduce((sum, r) => sum + r, 0)];
  const dense = method.endsWith("svd") && !isFactored(method, rank, inFeatures, outFeatures);
  // Factors, their result, and where values are combined one by one, every update and what they combine to.
  const values = sides * (2 * rank + most) + (dense ? (ranks.length + 2) * inFeatures * outFeatures : 0);
  const steps = dense
    ? inFeatures * outFeatures * (rank + 4 * most + 16)
    : method === "svd"
    ? 4 * sides * rank * (rank + most) + 64 * rank ** 3
    : sides * rank;
  if (8 * values > maxBytes) throw tooMuch("merge", path, "bytes of memory for one module", 8 * values, maxBytes);
  if (steps > maxSteps) throw tooMuch("merge", path, "steps of computing for one module", steps, maxSteps);
}

/** Whether the sum of updates is decomposed from its factors, as the product of all of them side by side. */
function isFactored(method: MergeMethod, rank: number, inFeatures: number, outFeatures: number): boolean {
  return method === "svd" && rank <= Math.min(inFeatures, outFeatures);
}

type Factors = Readonly<{ a: Float64Array; b: Float64Array }>;

async function mergedFactors(
  path: string,
  [suffixA, suffixB]: readonly [string, string],
  opened: readonly OpenedAdapter[],
  weights: readonly number[],
  combination: Combination,
  rank: number,
): Promise<Factors> {
  const parts: { a: Float64Array; b: Float64Array; r: number; weight: number; scale: number; adapter: number }[] = [];
  let [inFeatures, outFeatures] = [0, 0];
  for (const [adapter, { names, read, config }] of opened.entries()) {
    if (!names.includes(path + suffixA)) continue;
    const [a, b] = [await read(path + suffixA), await read(path + suffixB)];
    [inFeatures, outFeatures] = [a.dims[1] ?? 0, b.dims[0] ?? 0];
    parts.push({
      a: Float64Array.from(a.data),
      b: Float64Array.from(b.data),
      r: a.dims[0] ?? 0,
      weight: weights[adapter] ?? 0,
      scale: scaleOf(config, path.replace(/^base_model\.model\./, "")),
      adapter,
    });
  }
  const { method } = combination;
  if (method === "cat") return besideEachOther(parts, inFeatures, outFeatures, rank);
  const adapters = parts.map((p) => p.adapter);
  if (!method.endsWith("svd")) {
    const roots = parts.map((p) => Math.sqrt(Math.abs(p.weight * p.scale)));
    const signed = parts.map((p, i) => (p.weight * p.scale < 0 ? -1 : 1) * (roots[i] ?? 0));
    return {
      a: combine(path + suffixA, parts.map((p) => p.a), signed, adapters, combination),
      b: combine(path + suffixB, parts.map((p) => p.b), roots, adapters, combination),
    };
  }
  const all = parts.reduce((sum, p) => sum + p.r, 0);
  if (isFactored(method, all, inFeatures, outFeatures)) return decomposed(parts, all, inFeatures, outFeatures, rank);
  const updates = parts.map((p) => product(p.b, p.a, outFeatures, p.r, inFeatures, p.scale));
  const delta = combine(path, updates, parts.map((p) => p.weight), adapters, combination);
  const { u, s, v } = topSingular(delta, outFeatures, inFeatures, rank);
  const b = new Float64Array(outFeatures * rank);
  for (let k = 0; k < rank; k++) {
    for (let i = 0; i < outFeatures; i++) b[i * rank + k] = (u[k * outFeatures + i] ?? 0) * (s[k] ?? 0);
  }
  return { a: v, b };
}

type Part = Readonly<{ a: Float64Array; b: Float64Array; r: number; weight: number; scale: number }>;

/**
 * The singular values of a sum of products, without the sum: of its factors side by side, B A = Qb (Rb Ra') Qa', the small
 * matrix in the middle has them.
 */
function decomposed(
  parts: readonly Part[],
  all: number,
  inFeatures: number,
  outFeatures: number,
  rank: number,
): Factors {
  const beside = besideEachOther(parts, inFeatures, outFeatures, all);
  const left = qr(beside.b, outFeatures, all);
  const right = qr(transposed(beside.a, all, inFeatures), inFeatures, all);
  const core = new Float64Array(all * all);
  for (let i = 0; i < all; i++) {
    for (let j = 0; j < all; j++) {
      let sum = 0;
      for (let k = Math.max(i, j); k < all; k++) sum += (left.r[i * all + k] ?? 0) * (right.r[j * all + k] ?? 0);
      core[i * all + j] = sum;
    }
  }
  const { u, s, v } = topSingular(core, all, all, Math.min(rank, all));
  const a = new Float64Array(rank * inFeatures);
  const b = new Float64Array(outFeatures * rank);
  for (let k = 0; k < s.length; k++) {
    for (let i = 0; i < outFeatures; i++) {
      let sum = 0;
      for (let j = 0; j < all; j++) sum += (left.q[i * all + j] ?? 0) * (u[k * all + j] ?? 0);
      b[i * rank + k] = sum * (s[k] ?? 0);
    }
    for (let i = 0; i < inFeatures; i++) {
      let sum = 0;
      for (let j = 0; j < all; j++) sum += (right.q[i * all + j] ?? 0) * (v[k * all + j] ?? 0);
      a[k * inFeatures + i] = sum;
    }
  }
  return { a, b };
}

function transposed(w: Float64Array, rows: number, columns: number): Float64Array {
  const out = new Float64Array(w.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) out[j * rows + i] = w[i * columns + j] ?? 0;
  return out;
}

function besideEachOther(
  parts: readonly Part[],
  inFeatures: number,
  outFeatures: number,
  rank: number,
): Factors {
  const a = new Float64Array(rank * inFeatures);
  const b = new Float64Array(outFeatures * rank);
  let at = 0;
  for (const p of parts) {
    a.set(p.a.map((x) => x * p.weight * p.scale), at * inFeatures);
    for (let i = 0; i < outFeatures; i++) b.set(p.b.subarray(i * p.r, (i + 1) * p.r), i * rank + at);
    at += p.r;
  }
  return { a, b };
}

function product(
  b: Float64Array,
  a: Float64Array,
  rows: number,
  r: number,
  columns: number,
  scale: number,
): Float64Array {
  const out = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < r; k++) {
      const factor = scale * (b[i * r + k] ?? 0);
      for (let j = 0; j < columns; j++) {
        out[i * columns + j] = (out[i * columns + j] ?? 0) + factor * (a[k * columns + j] ?? 0);
      }
    }
  }
  return out;
}

function scaleOf(config: Named<Json>, path: string): number {
  const r = patternValue(path, (config.rank_pattern ?? {}) as Named<number>, Number(config.r));
  const alpha = patternValue(path, (config.alpha_pattern ?? {}) as Named<number>, Number(config.lora_alpha));
  return alpha / (config.use_rslora === true ? Math.sqrt(r) : r);
}

function mergedTargets(opened: readonly OpenedAdapter[]): Json {
  const targets = opened.map(({ config }) => config.target_modules ?? null);
  if (targets.every((t) => typeof t === "string")) {
    return new Set(targets).size === 1 ? targets[0] as string : targets.map((t) => `(${t})`).join("|");
  }
  if (!targets.every(Array.isArray)) {
    throw badValue("merge", "target_modules", targets, "lists in all adapters, or patterns in all");
  }
  return [...new Set(targets.flat() as string[])].sort();
}

// IA3's vectors are added up, as PEFT does for them.
function mergeIa3(
  opened: readonly OpenedAdapter[],
  weights: readonly number[],
  { method }: Combination,
  options: MergeOptions,
): MergedAdapter {
  if (method !== "linear") throw badValue("merge", "method", method, "linear, for IA3");
  const whole = savedModules(opened, (name) => name.endsWith(".ia3_l"), options);
  const forms: Record<string, TensorForm> = {};
  for (const { names, form } of opened) {
    for (const name of names) {
      if (name.endsWith(".ia3_l") || whole.has(name)) forms[name] = form(name);
    }
  }
  const list = (field: string): Json =>
    [...new Set(opened.flatMap(({ config }) => config[field] as string[] ?? []))].sort();
  return {
    config: {
      ...opened[0]?.config,
      target_modules: mergedTargets(opened),
      feedforward_modules: list("feedforward_modules"),
    },
    forms,
    read: async (name) => {
      const from = whole.get(name);
      if (from) return await from.read(name);
      const dims = forms[name]?.dims ?? [];
      const tasks: Float64Array[] = [];
      const own: number[] = [];
      for (const [i, { names, read }] of opened.entries()) {
        if (!names.includes(name)) continue;
        tasks.push(Float64Array.from((await read(name)).data));
        own.push(weights[i] ?? 0);
      }
      const sum = new Float64Array(tasks[0]?.length ?? 0);
      tasks.forEach((task, t) => task.forEach((x, i) => (sum[i] = (sum[i] ?? 0) + (own[t] ?? 0) * x)));
      return { dtype: "float32", dims, data: Float32Array.from(sum) };
    },
  };
}

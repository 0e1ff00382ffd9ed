/** The factors A and B of a merged module: concatenated, combined value by value, or decomposed from the update. */
import { qr, topSingular } from "../../../core/math/linear_algebra.ts";
import { transposeMatrix } from "../../../core/math/transpose.ts";
import { alphaOf, loraScale, rankOf } from "../lora_scale.ts";
import type { OpenedAdapter } from "./config.ts";
import { type Combination, combine, type MergeMethod } from "./methods.ts";

/** Whether the sum of updates can be decomposed from the concatenated factors, without computing the sum. */
export function isFactored(method: MergeMethod, rank: number, inFeatures: number, outFeatures: number): boolean {
  return method === "svd" && rank <= Math.min(inFeatures, outFeatures);
}

/** A [r, in] and B [out, r] of a module, row by row. */
export type Factors = Readonly<{ a: Float64Array; b: Float64Array }>;

type Part = Readonly<{ a: Float64Array; b: Float64Array; r: number; weight: number; scale: number; adapter: number }>;

/** A module's factors in the adapters that have it. */
type Parts = Readonly<{ parts: readonly Part[]; inFeatures: number; outFeatures: number }>;

/** Merges the factors of a module. `suffixes`: the names of A and B after the module's path. */
export async function mergedFactors(
  path: string,
  suffixes: readonly [a: string, b: string],
  opened: readonly OpenedAdapter[],
  weights: readonly number[],
  combination: Combination,
  rank: number,
): Promise<Factors> {
  const { parts, inFeatures, outFeatures } = await readParts(path, suffixes, opened, weights);
  const { method } = combination;
  if (method === "cat") return concatenateRanks(parts, inFeatures, outFeatures, rank);
  const adapters = parts.map((p) => p.adapter);
  if (!method.endsWith("svd")) {
    const roots = parts.map((p) => Math.sqrt(Math.abs(p.weight * p.scale)));
    const signed = parts.map((p, i) => (p.weight * p.scale < 0 ? -1 : 1) * (roots[i] ?? 0));
    return {
      a: combine(path + suffixes[0], parts.map((p) => p.a), signed, adapters, combination),
      b: combine(path + suffixes[1], parts.map((p) => p.b), roots, adapters, combination),
    };
  }
  const all = parts.reduce((sum, p) => sum + p.r, 0);
  if (isFactored(method, all, inFeatures, outFeatures)) {
    return decomposeFactors(parts, all, inFeatures, outFeatures, rank);
  }
  const updates = parts.map((p) => product(p.b, p.a, outFeatures, p.r, inFeatures, p.scale));
  const delta = combine(path, updates, parts.map((p) => p.weight), adapters, combination);
  const { u, s, v } = topSingular(delta, outFeatures, inFeatures, rank);
  const b = new Float64Array(outFeatures * rank);
  for (let k = 0; k < rank; k++) {
    for (let i = 0; i < outFeatures; i++) b[i * rank + k] = (u[k * outFeatures + i] ?? 0) * (s[k] ?? 0);
  }
  return { a: v, b };
}

async function readParts(
  path: string,
  [suffixA, suffixB]: readonly [a: string, b: string],
  opened: readonly OpenedAdapter[],
  weights: readonly number[],
): Promise<Parts> {
  const parts: Part[] = [];
  let [inFeatures, outFeatures] = [0, 0];
  for (const [adapter, { names, read, config }] of opened.entries()) {
    if (!names.includes(path + suffixA)) continue;
    const [a, b] = [await read(path + suffixA), await read(path + suffixB)];
    const module = path.replace(/^base_model\.model\./, "");
    [inFeatures, outFeatures] = [a.dims[1] ?? 0, b.dims[0] ?? 0];
    parts.push({
      a: Float64Array.from(a.data),
      b: Float64Array.from(b.data),
      r: a.dims[0] ?? 0,
      weight: weights[adapter] ?? 0,
      scale: loraScale(alphaOf(config, module), rankOf(config, module), config.use_rslora === true),
      adapter,
    });
  }
  return { parts, inFeatures, outFeatures };
}

/**
 * Decomposes a sum of products without computing it: with factors concatenated, B A = Qb (Rb Ra') Qa', and the small
 * matrix in the middle has the same singular values.
 */
function decomposeFactors(
  parts: readonly Part[],
  all: number,
  inFeatures: number,
  outFeatures: number,
  rank: number,
): Factors {
  const beside = concatenateRanks(parts, inFeatures, outFeatures, all);
  const left = qr(beside.b, outFeatures, all);
  const right = qr(transposeMatrix(beside.a, all, inFeatures), inFeatures, all);
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

function concatenateRanks(parts: readonly Part[], inFeatures: number, outFeatures: number, rank: number): Factors {
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

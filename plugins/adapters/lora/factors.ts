/** Initial LoRA factors that are computed in pairs, from a module's weight or from orthogonal matrices. */
import { badValue } from "../../../core/base/errors.ts";
import { qr, topSingular } from "../../../core/math/linear_algebra.ts";
import type { InitialValues, Random, Tensor } from "../../../core/types.ts";
import type { LoraOptions } from "./options.ts";

/** Both factors of a module: A [r, in] and B [out, r]. */
export type Factors = Readonly<{ a: Float32Array; b: Float32Array }>;

/** PiSSA (Meng et al. 2024), LoftQ (Li et al. 2023), OLoRA (Büyükakyüz 2024), orthogonal. AttuneError for a bad r. */
export async function readFactors(
  plugin: string,
  how: LoraOptions["initLoraWeights"],
  path: string,
  r: number,
  scale: number,
  inFeatures: number,
  outFeatures: number,
  weights: InitialValues,
  random: Random,
): Promise<Factors> {
  if (how === "orthogonal") return orthogonal(plugin, r, inFeatures, outFeatures, random);
  if (r > Math.min(inFeatures, outFeatures)) {
    throw badValue(plugin, "adapter.with.r", r, `at most ${Math.min(inFeatures, outFeatures)} for ${how} (${path})`);
  }
  const { data, dims } = how === "loftq"
    ? await lostByQuantizing(plugin, path, weights)
    : await weights.read(`${path}.weight`);
  // The weight as [out, in], however it is stored.
  const stored = dims[0] === outFeatures && dims[1] === inFeatures;
  const at = stored
    ? (i: number, j: number): number => data[i * inFeatures + j] ?? 0
    : (i: number, j: number): number => data[j * outFeatures + i] ?? 0;
  const w = Float64Array.from(
    { length: outFeatures * inFeatures },
    (_, k) => at(Math.floor(k / inFeatures), k % inFeatures),
  );
  if (how === "olora") {
    const { q, r: upper } = qr(w, outFeatures, inFeatures);
    const width = Math.min(outFeatures, inFeatures);
    return {
      a: Float32Array.from(upper.subarray(0, r * inFeatures)),
      b: Float32Array.from({ length: outFeatures * r }, (_, k) => q[Math.floor(k / r) * width + (k % r)] ?? 0),
    };
  }
  const { u, s, v } = topSingular(w, outFeatures, inFeatures, r);
  const root = (k: number): number => Math.sqrt((s[k] ?? 0) / scale);
  return {
    a: Float32Array.from({ length: r * inFeatures }, (_, i) => root(Math.floor(i / inFeatures)) * (v[i] ?? 0)),
    b: Float32Array.from({ length: outFeatures * r }, (_, i) => {
      const [row, k] = [Math.floor(i / r), i % r];
      return root(k) * (u[k * outFeatures + row] ?? 0);
    }),
  };
}

/** Returns the quantization error of a weight: its value minus the stored one (LoftQ, Li et al. 2023). */
async function lostByQuantizing(plugin: string, path: string, weights: InitialValues): Promise<Tensor<Float32Array>> {
  const stored = await weights.read(`${path}.weight`);
  const whole = await weights.readWhole?.(`${path}.weight`);
  const data = stored.data.map((value, i) => (whole?.data[i] ?? value) - value);
  if (data.some((value) => value !== 0)) return { ...stored, data };
  throw badValue(
    plugin,
    "adapter.with.initLoraWeights",
    "loftq",
    `another initialization for ${path}, which loses nothing: loftq needs an unquantized base and a quantizer under accelerators (nf4)`,
  );
}

/** Draws A's rows and B's columns in orthogonal halves of the rank, so that B A = 0 initially. */
function orthogonal(plugin: string, r: number, inFeatures: number, outFeatures: number, random: Random): Factors {
  if (r % 2 !== 0) throw badValue(plugin, "adapter.with.r", r, "an even number for orthogonal");
  const normals = (stream: Random, n: number): Float64Array =>
    Float64Array.from({ length: n }, (_, i) => stream.normal(i));
  const { q } = qr(normals(random.fork("q"), r * r), r, r);
  const half = r / 2;
  const [left, right] = [normals(random.fork("a"), inFeatures * half), normals(random.fork("b"), half * outFeatures)];
  const a = new Float32Array(r * inFeatures);
  const b = new Float32Array(outFeatures * r);
  for (let k = 0; k < r; k++) {
    for (let h = 0; h < half; h++) {
      const [odd, even] = [q[2 * h * r + k] ?? 0, q[(2 * h + 1) * r + k] ?? 0];
      for (let j = 0; j < inFeatures; j++) {
        a[k * inFeatures + j] = (a[k * inFeatures + j] ?? 0) + ((left[j * half + h] ?? 0) * odd) / 10;
      }
      for (let i = 0; i < outFeatures; i++) {
        b[i * r + k] = (b[i * r + k] ?? 0) + ((right[h * outFeatures + i] ?? 0) * even) / 10;
      }
    }
  }
  return { a, b };
}

/** Initial values of LoRA's factors. */
import type { Initializer } from "../../../core/types.ts";
import type { Factors } from "./factors.ts";
import type { LoraOptions } from "./options.ts";

/** Initializers of a module's factors. */
export type FirstFactors = Readonly<{
  a(path: string, inFeatures: number, outFeatures: number): Initializer;
  b(path: string, inFeatures: number, outFeatures: number): Initializer;
}>;

/** Returns initial values by PEFT's `init_lora_weights`. Factors that depend on each other are computed once. */
export function firstFactors(
  plugin: string,
  how: LoraOptions["initLoraWeights"],
  rankOf: (path: string) => number,
  scaleOf: (path: string) => number,
): FirstFactors {
  const known = new Map<string, Promise<Factors>>();
  const both = (path: string, inFeatures: number, outFeatures: number, part: "a" | "b"): Initializer =>
  async (
    weights,
    random,
  ) => {
    let factors = known.get(path);
    if (!factors) {
      known.set(
        path,
        factors = import("./factors.ts").then(({ readFactors }) =>
          readFactors(plugin, how, path, rankOf(path), scaleOf(path), inFeatures, outFeatures, weights, random)
        ),
      );
    }
    return (await factors)[part];
  };
  const uniform = (n: number): Initializer => ({ uniform: 1 / Math.sqrt(n) });
  return {
    a: (path, inFeatures, outFeatures) => {
      if (typeof how === "boolean") return uniform(inFeatures);
      return how === "gaussian" ? { normal: 1 / rankOf(path) } : both(path, inFeatures, outFeatures, "a");
    },
    b: (path, inFeatures, outFeatures) => {
      if (how === false) return uniform(rankOf(path));
      return how === true || how === "gaussian" ? "zeros" : both(path, inFeatures, outFeatures, "b");
    },
  };
}

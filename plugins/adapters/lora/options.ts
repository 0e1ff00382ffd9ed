/** PEFT's LoraConfig in camelCase, the options of `lora` and `dora`. */
import { most } from "../../../core/base/most.ts";
import * as v from "valibot";
import { moduleNames, savedEntries, type SavedOptions, type TargetOptions } from "../../../blocks/adapter/mod.ts";

/** Options of LoRA. */
export interface LoraOptions extends SavedOptions, TargetOptions {
  /** Rank of the update. */
  readonly r: number;
  /** Numerator of the scale α/r (α/√r with `useRslora`). */
  readonly loraAlpha: number;
  /** Dropout on the input of A. */
  readonly loraDropout: number;
  /** Modules to exclude from the targets. */
  readonly excludeModules: string | readonly string[] | null;
  /** Whether to use the rank-stabilized scale (Kalajdzievski 2023). */
  readonly useRslora: boolean;
  /** Whether to train magnitudes separately from directions (Liu et al. 2024). */
  readonly useDora: boolean;
  /**
   * Whether A sees one number per group of inputs (QA-LoRA, Xu et al. 2023), so that `attune merge --exact` can fold
   * the update into zero points.
   */
  readonly useQalora: boolean;
  /** Inputs per group, with `useQalora`; null: those that share a zero point in the base, or else PEFT's 16. */
  readonly qaloraGroupSize: number | null;
  /** Which biases of the model are trained: none, all, or those of the targets. */
  readonly bias: "none" | "all" | "lora_only";
  /** Whether B has a bias. */
  readonly loraBias: boolean;
  /** Ranks for modules that match a pattern. */
  readonly rankPattern: Readonly<Record<string, number>>;
  /** Alphas for modules that match a pattern. */
  readonly alphaPattern: Readonly<Record<string, number>>;
  /** Rows of the word embeddings, or of other named embeddings, to train individually. */
  readonly trainableTokenIndices: readonly number[] | Readonly<Record<string, readonly number[]>> | null;
  /**
   * True: A Kaiming-uniform, B zero; "gaussian": A normal of standard deviation 1/r, B zero; "orthogonal": A and B of
   * mutually orthogonal halves; "pissa": the largest singular directions (Meng et al. 2024); "olora": the first columns
   * of QR (Büyükakyüz 2024); "loftq": the largest singular directions of what a quantizer under `accelerators` loses of
   * the weight, so that W ≈ Q + α/r · B A (Li et al. 2023); false: both random.
   */
  readonly initLoraWeights: boolean | "gaussian" | "orthogonal" | "pissa" | "olora" | "loftq";
  /**
   * With "loftq": the bits, which must be the quantizer's, and the iterations, which must be 1 so that the base stays
   * what other libraries load.
   */
  readonly loftqConfig: Readonly<{ loftqBits?: 4 | undefined; loftqIter?: 1 | undefined }> | null;
  /** Whether modules that share a table (embeddings and the output layer) keep sharing it and its update. */
  readonly ensureWeightTying: boolean;
}

const rank = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.rank));
const counts = v.record(v.string(), rank);
const ids = v.array(v.pipe(v.number(), v.integer(), v.minValue(0)));

const loftq = v.strictObject({
  loftqBits: v.optional(v.literal(4), 4),
  loftqIter: v.optional(v.literal(1), 1),
});

const entries = {
  r: v.optional(rank, 8),
  loraAlpha: v.optional(v.pipe(v.number(), v.finite()), 8),
  loraDropout: v.optional(v.pipe(v.number(), v.minValue(0), v.ltValue(1)), 0),
  targetModules: v.optional(v.nullable(moduleNames), null),
  excludeModules: v.optional(v.nullable(moduleNames), null),
  useRslora: v.optional(v.boolean(), false),
  useDora: v.optional(v.boolean(), false),
  useQalora: v.optional(v.boolean(), false),
  qaloraGroupSize: v.optional(v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1))), null),
  bias: v.optional(v.picklist(["none", "all", "lora_only"]), "none"),
  loraBias: v.optional(v.boolean(), false),
  modulesToSave: savedEntries.modulesToSave,
  layersToTransform: v.optional(v.nullable(v.union([v.number(), v.array(v.number())])), null),
  layersPattern: v.optional(v.nullable(moduleNames), null),
  rankPattern: v.optional(counts, {}),
  alphaPattern: v.optional(v.record(v.string(), v.number()), {}),
  trainableTokenIndices: v.optional(v.nullable(v.union([ids, v.record(v.string(), ids)])), null),
  initLoraWeights: v.optional(
    v.union([v.boolean(), v.picklist(["gaussian", "orthogonal", "pissa", "olora", "loftq"])]),
    true,
  ),
  loftqConfig: v.optional(v.nullable(loftq), null),
  ensureWeightTying: v.optional(v.boolean(), false),
  fanInFanOut: v.optional(v.boolean(), false),
  from: savedEntries.from,
} as const;

/** Names of the options in a saved config; how LoftQ initialized does not matter for continuing. */
export const loraNames: readonly string[] = Object.keys(entries).filter((name) => name !== "loftqConfig");

/** Schema of {@link LoraOptions}. */
export const loraSchema: v.GenericSchema<Partial<LoraOptions>, LoraOptions> = v.strictObject(entries);

/** Schema of {@link LoraOptions} with `useDora` on. */
export const doraSchema: v.GenericSchema<Partial<LoraOptions>, LoraOptions> = v.strictObject({
  ...entries,
  useDora: v.optional(v.literal(true), true),
});

/** Returns options of the same update as a plain LoRA, whose further ranks are the first product. */
export function asPlainLora(o: LoraOptions): Partial<LoraOptions> {
  const factor = o.useRslora ? Math.SQRT2 : 2;
  const times = (map: Readonly<Record<string, number>>, by: number): Record<string, number> =>
    Object.fromEntries(Object.entries(map).map(([key, value]) => [key, value * by]));
  return {
    r: 2 * o.r,
    loraAlpha: factor * o.loraAlpha,
    rankPattern: times(o.rankPattern, 2),
    alphaPattern: times(o.alphaPattern, factor),
    initLoraWeights: true,
  };
}

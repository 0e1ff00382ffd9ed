/** What both forms of the kernels share. */
import { pow } from "../math/math.ts";
import type { AdamStepOptions, FlatParameter, Kernels } from "../types.ts";

/** Kernels that draw dropout masks: values 0 or 1/(1-p) that depend on (key, site, sequence, position, column) alone. */
export interface DropoutKernels {
  /** `out` [n, width]; `places`: n pairs (sequence, position), -1 for padding, whose row gets ones. */
  dropoutRows(
    out: Float32Array,
    places: Int32Array,
    width: number,
    p: number,
    key: readonly [number, number],
    site: number,
  ): void;
  /**
   * `out` [batch, heads, queries, keys], `queryPlaces` batch·queries pairs, `keyPlaces` batch·keys pairs; a sequence's
   * keys lie side by side, in order from position 0. Only keys of a query's own sequence are written: elsewhere
   * attention is zero anyway.
   */
  dropoutAttention(
    out: Float32Array,
    queryPlaces: Int32Array,
    keyPlaces: Int32Array,
    heads: number,
    queries: number,
    keys: number,
    p: number,
    key: readonly [number, number],
    site: number,
  ): void;
}

/** All kernels. */
export type AllKernels = Kernels & DropoutKernels;

/** The threshold that 16 random bits are held against: below it a value is dropped. */
export function dropThreshold(p: number): number {
  return Math.round(p * 65536);
}

/** What one step of Adam multiplies by, in the order that the kernel takes them. */
export type AdamFactors = readonly [
  scale: number,
  beta1: number,
  gain1: number,
  beta2: number,
  gain2: number,
  keep: number,
  l2: number,
  rate: number,
  root: number,
  epsilon: number,
];

/** Steps values `start` to `start + count` of a span. */
export type AdamStep = (span: FlatParameter<"m" | "v">, start: number, count: number, factors: AdamFactors) => void;

/** Adam's three kernels over one step: of all values with decay or with an L2 term, and of some rows. */
export function adamKernels(step: AdamStep): Pick<Kernels, "adam" | "adamw" | "adamwRows"> {
  return {
    adam: (span, o) => step(span, 0, span.parameter.length, adamFactors(o, false)),
    adamw: (span, o) => step(span, 0, span.parameter.length, adamFactors(o, true)),
    adamwRows: (span, rows, width, o) => {
      const factors = adamFactors(o, true);
      for (const row of rows) step(span, row * width, width, factors);
    },
  };
}

// Bias corrections become two factors: lr / (1 - β₁ᵗ) of the step and 1 / √(1 - β₂ᵗ) of √v.
function adamFactors(o: AdamStepOptions, decoupled: boolean): AdamFactors {
  return [
    o.gradientScale,
    o.beta1,
    1 - o.beta1,
    o.beta2,
    1 - o.beta2,
    decoupled ? 1 - o.learningRate * o.weightDecay : 1,
    decoupled ? 0 : o.weightDecay,
    o.learningRate / (1 - pow(o.beta1, o.step)),
    1 / Math.sqrt(1 - pow(o.beta2, o.step)),
    o.epsilon,
  ];
}

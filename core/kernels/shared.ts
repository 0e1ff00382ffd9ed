/** Parts shared by the WebAssembly kernels and the fallback. */
import { pow } from "../math/math.ts";
import type { AdamStepOptions, FlatParameter, Kernels } from "../types.ts";

/** Kernels that draw dropout masks: values 0 or 1/(1-p) that depend only on (key, site, sequence, position, column). */
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
   * `out` [batch, heads, queries, keys], `queryPlaces` batch·queries pairs, `keyPlaces` batch·keys pairs; the keys of a
   * sequence are adjacent and start at position 0. Only keys of a query's own sequence are written, since attention to
   * others is zero anyway.
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

/** Returns the threshold for 16 random bits, below which a value is dropped. */
export function dropThreshold(p: number): number {
  return Math.round(p * 65536);
}

/** The factors of one step of Adam, in the kernel's parameter order. */
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

/** Updates values `start` to `start + count` of a span. */
export type AdamStep = (span: FlatParameter<"m" | "v">, start: number, count: number, factors: AdamFactors) => void;

/** Returns Adam's three kernels from one step function: all values with L2 term or decay, and some rows with decay. */
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

// Bias corrections are folded into two factors: lr / (1 - β₁ᵗ) for the step and 1 / √(1 - β₂ᵗ) for √v.
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

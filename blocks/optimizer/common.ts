/** Options common to all optimizers: weight decay, parameter groups, clipping by value. */
import * as v from "valibot";
import { AttuneError, badValue } from "../../core/base/errors.ts";
import { linearPattern } from "../../core/patterns/linear_pattern.ts";
import type {
  FlatParameter,
  InspectedBackbone,
  Kernels,
  Optimizer,
  ParameterGroup,
  Plugin,
  StepContext,
} from "../../core/types.ts";

/** Options of the parameters whose name matches a pattern. */
export interface ParameterGroupOptions extends ParameterGroup {
  /** A regular expression; of several groups the first that fits counts. */
  readonly pattern: string;
  /** The rate before the schedule, in place of the run's. */
  readonly learningRate?: number | undefined;
  /** A factor of the rate: `{ pattern: "lora_B", lrScale: 16 }` is LoRA+ (Hayou et al. 2024). */
  readonly lrScale?: number | undefined;
  /** Weight decay, in place of the optimizer's; holds for biases and norms of the group too. */
  readonly weightDecay?: number | undefined;
}

/** Options that every optimizer has. */
export interface CommonOptions {
  /** Weight decay; biases and norms are exempt. */
  readonly weightDecay: number;
  /** Parameter groups with their own learning rate or weight decay. */
  readonly groups: readonly ParameterGroupOptions[];
  /**
   * d: the layer k below the top learns at dᵏ⁺¹ times the rate, with the embeddings below all layers (Clark et al.
   * 2020).
   */
  readonly layerDecay: number;
  /** The largest absolute value of a gradient element, after clipping by the norm. */
  readonly clipValue?: number | undefined;
}

/** Options of Adam and its variants. */
export interface AdamOptions extends CommonOptions {
  /** Decay of the mean of gradients. */
  readonly beta1: number;
  /** Decay of the mean of squared gradients. */
  readonly beta2: number;
  /** Added to the denominator. */
  readonly epsilon: number;
}

/** Options of variants of Adam with a choice between the two kinds of weight decay. */
export interface AdamVariantOptions extends AdamOptions {
  /** Whether weight decay is decoupled from the gradient, as in AdamW; otherwise λ is an L2 term. */
  readonly decoupledWeightDecay: boolean;
}

/** Schema of numbers from 0 on. */
export const nonNegative: v.SchemaWithPipe<
  readonly [v.NumberSchema<undefined>, v.MinValueAction<number, 0, undefined>]
> = v.pipe(v.number(), v.minValue(0));

/** Schema of fractions from 0 to below 1. */
export const fraction: v.SchemaWithPipe<
  readonly [v.NumberSchema<undefined>, v.MinValueAction<number, 0, undefined>, v.LtValueAction<number, 1, undefined>]
> = v.pipe(v.number(), v.minValue(0), v.ltValue(1));

/** Schema of patterns for names. Jobs bring their own, so {@link has} must accept it. */
export const pattern: v.SchemaWithPipe<
  readonly [v.StringSchema<undefined>, v.CheckAction<string, "a regular expression">]
> = v.pipe(v.string(), v.check(isPattern, "a regular expression"));

const group = v.strictObject({
  pattern: v.pipe(pattern, v.nonEmpty()),
  learningRate: v.optional(nonNegative),
  lrScale: v.optional(nonNegative),
  weightDecay: v.optional(nonNegative),
});

type Entries = Readonly<{
  weightDecay: v.OptionalSchema<v.GenericSchema<number>, number>;
  groups: v.OptionalSchema<v.GenericSchema<readonly ParameterGroupOptions[]>, readonly []>;
  layerDecay: v.OptionalSchema<v.GenericSchema<number>, 1>;
  clipValue: v.OptionalSchema<v.GenericSchema<number>, undefined>;
}>;

/** Schema entries of {@link CommonOptions}. `weightDecay`: the default. */
export function commonEntries(weightDecay = 0): Entries {
  return {
    weightDecay: v.optional(nonNegative, weightDecay),
    groups: v.optional(v.array(group), []),
    layerDecay: v.optional(v.pipe(v.number(), v.gtValue(0), v.maxValue(1)), 1),
    clipValue: v.optional(v.pipe(v.number(), v.gtValue(0))),
  };
}

type AdamEntries = Readonly<Record<"beta1" | "beta2" | "epsilon", v.OptionalSchema<v.GenericSchema<number>, number>>>;

/** Schema entries of {@link AdamOptions} without those that all optimizers have. */
export function adamEntries(epsilon = 1e-8): AdamEntries {
  return {
    beta1: v.optional(fraction, 0.9),
    beta2: v.optional(fraction, 0.999),
    epsilon: v.optional(nonNegative, epsilon),
  };
}

/** Adds to an optimizer's own rule what all optimizers share. */
export function withCommon<R extends Omit<Optimizer, keyof Plugin>>(options: CommonOptions, rule: R): R {
  const { groups, layerDecay, clipValue } = options;
  return {
    ...rule,
    ...(groups.length === 0 && layerDecay === 1 ? {} : {
      groups: (names: readonly string[], backbone: InspectedBackbone) => groupsOf(names, backbone, options),
    }),
    update: clipValue === undefined ? rule.update : (span: FlatParameter, update: StepContext, kernels: Kernels) => {
      clip(span.gradient, update.gradientScale, clipValue);
      rule.update(span, { ...update, gradientScale: 1 }, kernels);
    },
  };
}

/** Returns the weight decay of an update. */
export function decayOf(
  { appliesWeightDecay: decays, weightDecay }: StepContext,
  { weightDecay: fallback }: CommonOptions,
): number {
  return decays ? weightDecay ?? fallback : 0;
}

/** Returns an idle weight's factor with weight decay decoupled from the gradient. */
export function idleDecoupled(options: CommonOptions): (update: StepContext) => number {
  return (update) => 1 - update.learningRate * decayOf(update, options);
}

/** Returns an idle weight's factor with weight decay as a part of the gradient: with it, no weight is idle. */
export function idleCoupled(options: CommonOptions): (update: StepContext) => number | undefined {
  return (update) => (decayOf(update, options) > 0 ? undefined : 1);
}

/** Returns the number of elements of a shape. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

function groupsOf(
  names: readonly string[],
  backbone: InspectedBackbone,
  { groups, layerDecay }: CommonOptions,
): ParameterGroup[] {
  const fits = groups.map(({ pattern }) => has(pattern));
  const unused = groups.find((_, i) => !names.some((name) => fits[i]?.(name)));
  if (unused) {
    throw new AttuneError(
      `No trained parameter matches the group pattern "${unused.pattern}": ${names.slice(0, 8).join(", ")}`,
      {
        code: "NO_MATCH",
        plugin: "optimizer",
        path: "optimizer.with.groups",
        found: unused.pattern,
        allowed: names,
      },
    );
  }
  if (layerDecay !== 1 && backbone.layers.length === 0) {
    throw badValue("optimizer", "layerDecay", layerDecay, "1 for a model without layers");
  }
  return names.map((name) => {
    const { lrScale = 1, learningRate, weightDecay } = groups[fits.findIndex((fit) => fit(name))] ?? {};
    return { lrScale: lrScale * layerDecay ** heightsAbove(name, backbone), learningRate, weightDecay };
  });
}

/** Returns how many levels are above a parameter's: 0 above the layers, and so on down to the embeddings. */
function heightsAbove(name: string, { layers, embeddings }: InspectedBackbone): number {
  const layer = layers.findIndex((path) => name.includes(`${path}.`));
  if (layer >= 0) return layers.length - layer;
  return /embeddings\./.test(name) || embeddings.some((path) => name.includes(`${path}.`)) ? layers.length + 1 : 0;
}

function clip(gradient: Float32Array, scale: number, limit: number): void {
  for (let i = 0; i < gradient.length; i++) {
    gradient[i] = Math.max(-limit, Math.min(limit, (gradient[i] ?? 0) * scale));
  }
}

/** Returns a test for names that match a pattern anywhere, in time linear in their length, whatever the pattern. */
export function has(pattern: string): (name: string) => boolean {
  const regExp = linearPattern(pattern) as unknown as RegExp;
  return (name) => name.match(regExp) !== null;
}

function isPattern(pattern: string): boolean {
  try {
    return has(pattern) !== undefined;
  } catch {
    return false;
  }
}

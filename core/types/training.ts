/** The parts that update parameters: optimizers, their kernels, schedules, regularizers, accelerators. */
import type { Rewrite, Value } from "../graph/graph.ts";
import type { Named, Tensor } from "../base/types.ts";
import type { GraphBuilder } from "./build.ts";
import type { Provider } from "./host.ts";
import type { Middleware } from "./adapter.ts";
import type { BackboneOutput, InspectedBackbone } from "./architecture.ts";
import type { Plugin } from "./plugin.ts";
import type { Dataset, Field, Row } from "./rows.ts";
import type { LinearWeight, ProductFormat, WeightStorage } from "./storage.ts";

/** Views of the training memory: one tensor, or, for `elementwise` optimizers, neighbours of one group. */
export type FlatParameter<S extends string = string> = Readonly<{
  name: string;
  shape: readonly number[];
  parameter: Float32Array;
  gradient: Float32Array;
  state: { readonly [K in S]: Float32Array };
}>;

/**
 * One update of a span. `step` counts from 1; `learningRate`: the group's; `appliesWeightDecay`: false for biases and
 * norms; `weightDecay`: the group's own, if it has one; `gradientScale`: the factor of clipping, by which the gradient
 * is multiplied as it is read.
 */
export type StepContext = Readonly<{
  step: number;
  learningRate: number;
  appliesWeightDecay: boolean;
  weightDecay?: number | undefined;
  gradientScale: number;
}>;

/** How a parameter's updates differ from others': its own learning rate or a factor of it, its own weight decay. */
export type ParameterGroup = Readonly<{
  learningRate?: number | undefined;
  lrScale?: number | undefined;
  weightDecay?: number | undefined;
}>;

/** A pure update rule over spans; it owns no memory. */
export interface Optimizer extends Plugin<"optimizer"> {
  /** Whether neighbouring tensors may be updated as one span. */
  readonly elementwise: boolean;
  /** Returns names and lengths of a tensor's state, which core allocates, zeroes and saves. Names never change. */
  state(shape: readonly number[], name: string): Named<number>;
  update(span: FlatParameter, update: StepContext, kernels: Kernels): void;
  /** Returns the group of each parameter; absent: all are updated alike. */
  groups?(names: readonly string[], backbone: InspectedBackbone): readonly ParameterGroup[];
  /**
   * Returns the factor by which a step changes a parameter that never had a gradient (rows of a table that no token has
   * named); undefined, or absent: such a parameter must be updated like the others.
   */
  decayWithoutGradient?(update: StepContext): number | undefined;
  /** Returns the learning rate in use, if it is not the schedule's (Adafactor's relative step). */
  learningRate?(step: number, scheduled: number): number;
  /** Writes the weights to evaluate and save, if they are not the training weights (averages). */
  swapEvaluationWeights?(span: FlatParameter, to: Float32Array): void;
}

/** One step of Adam. `step` counts from 1. */
export type AdamStepOptions = Readonly<{
  step: number;
  learningRate: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  gradientScale: number;
}>;

/**
 * Update kernels: SIMD with WebAssembly, loops elsewhere, with the same bits. Arrays must be views of one memory and
 * long enough, else AttuneError is thrown before anything is written.
 */
export interface Kernels {
  /** AdamW (Loshchilov & Hutter 2019), one fused pass; the gradient is multiplied by `gradientScale` first. */
  adamw(span: FlatParameter<"m" | "v">, options: AdamStepOptions): void;
  /** Adam (Kingma & Ba 2015) as torch.optim.Adam: `weightDecay` is an L2 term of the gradient. */
  adam(span: FlatParameter<"m" | "v">, options: AdamStepOptions): void;
  /** AdamW on some rows of a table of `width` columns; a row that is listed twice is updated twice. */
  adamwRows(span: FlatParameter<"m" | "v">, rows: Int32Array, width: number, options: AdamStepOptions): void;
  /** SGD with momentum as torch.optim.SGD; `momentum` state may be empty where momentum is 0. */
  sgd(
    span: FlatParameter<"momentum">,
    options: Readonly<{
      step: number;
      learningRate: number;
      momentum: number;
      dampening: number;
      nesterov: boolean;
      weightDecay: number;
      gradientScale: number;
    }>,
  ): void;
  /** Returns Σ x², accumulated in float64 in a fixed order. */
  sumOfSquares(x: Float32Array): number;
  /**
   * Computes x *= factor and returns Σ x² of the products as {@link sumOfSquares} does; NaN if some x was not finite
   * before. A product that overflows makes the sum infinite.
   */
  unscale(x: Float32Array, factor: number): number;
  /** x *= factor */
  scale(x: Float32Array, factor: number): void;
  /** y += a x */
  axpy(y: Float32Array, a: number, x: Float32Array): void;
  /** table[rows[i]] += values[i] for rows of `width`; row -1 is skipped. */
  scatterAddRows(table: Float32Array, rows: Int32Array, values: Float32Array, width: number): void;
}

/** A learning rate schedule: a pure factor of the rate; `step` counts from 0. */
export interface Schedule extends Plugin<"schedule"> {
  factor(step: number, totalSteps: number, learningRate: number): number;
}

/** A regularizer: further terms of the loss, middleware, or both, only in training and not in evaluation. */
export interface Regularizer extends Plugin<"regularizer"> {
  /** Returns further targets from a training row, in addition to the collator's. */
  fields?(row: Row, index: number): Named<Field>;
  /** Computes tensors once, before the first step, which then stay constant. */
  prepare?(probe: RegularizerContext): Promise<Named<Tensor<Float32Array>>>;
  /** Returns middleware at the model's hook points, outside that of adapters. */
  around?(backbone: InspectedBackbone, frozen: Named<Value>): Middleware;
  /**
   * Builds a scalar to minimize in addition to the losses, averaged over the step's micro-batches. Parameters that it
   * declares train, but are not saved with the model. `again` builds another pass, with new dropout masks.
   */
  term?(b: GraphBuilder, pass: ForwardPass & Readonly<{ frozen: Named<Value>; again: () => ForwardPass }>): Value;
}

/** One forward pass. `loss`: the task's, scaled like terms. */
export type ForwardPass = Readonly<{ states: BackboneOutput; outputs: Named<Value>; loss: Value }>;

/** The context of a regularizer's preparation: trainable parameters, initial values, and gradients of single rows. */
export type RegularizerContext = Readonly<{
  /** The trainable parameters by name; `fresh`: without a saved value. */
  parameters: Named<Readonly<{ shape: readonly number[]; fresh: boolean }>>;
  /** The paths of linear layers, including the head's. */
  linears: readonly string[];
  read(name: string): Promise<Tensor<Float32Array>>;
  /** Yields the gradients of the task's loss for each row, without dropout. */
  gradients(data: Dataset): AsyncIterable<Named<Float32Array>>;
}>;

/** The initial loss scale and its changes: the arguments of torch's GradScaler. */
export type LossScaleOptions = Readonly<{
  initScale: number;
  growthFactor: number;
  backoffFactor: number;
  /** Good steps in a row before it grows. */
  growthInterval: number;
}>;

/**
 * An accelerator: determines how frozen weights are stored, and rewrites graphs as they are built. Several are asked in
 * order: the first that accepts a weight stores it; all of them rewrite. Inexact ones must be asked for by name.
 */
export interface Accelerator extends Plugin<"accelerator"> {
  readonly exact: boolean;
  /** The modules whose weights it may handle; absent: all eligible ones. */
  readonly modules?: Readonly<{ targetModules?: readonly string[] | undefined; skipModules: readonly string[] }>;
  /** Whether it only handles weights: a run in which there are none for it to handle is an error. */
  readonly needsFrozenWeights?: boolean;
  /** Returns the storage of a linear layer's frozen weight; undefined: it does not handle this one. */
  store?(weight: LinearWeight): WeightStorage | undefined;
  /**
   * Returns how products with a linear layer's trained weight are computed, in a run without an adapter; undefined: it
   * does not handle this one. Evaluation and saved files do not change.
   */
  multiply?(weight: LinearWeight): ProductFormat | undefined;
  /**
   * Returns Python code that loads a base model in the same way, if there is any. `skipped`: linear layers to leave
   * out, by the rule of `llm_int8_skip_modules`; absent: those that Hugging Face leaves out by default.
   */
  python?(skipped: readonly string[] | undefined): string | undefined;
  /** The largest change of the mean loss, in nats; a larger one ends the run before step one. */
  readonly maxLossDrift?: number | undefined;
  /** How losses are scaled, if gradients have so few bits that small ones would be lost. */
  readonly lossScale?: LossScaleOptions;
  /** Returns a one-line notice to show before step one of a run on a provider. */
  notice?(provider: Provider): string | undefined;
  /** Returns a rewrite of operations for each graph that is built: of the model, its losses and gradients. */
  rewrite?(device: Device): Rewrite;
}

/** The device that a graph will run on. */
export type Device = Readonly<{ provider: Provider; bytes: number; backbone: InspectedBackbone }>;

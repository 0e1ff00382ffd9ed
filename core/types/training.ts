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

/** Views of the one memory: a tensor, or neighbours of one group if `elementwise`. */
export type FlatParameter<S extends string = string> = Readonly<{
  name: string;
  shape: readonly number[];
  parameter: Float32Array;
  gradient: Float32Array;
  state: { readonly [K in S]: Float32Array };
}>;

/**
 * One update of a span. `step` from 1; `learningRate` of the group; `decays` is false for biases and norms, whose weights
 * do not decay; `weightDecay` is the group's own, where it has one; `gradientScale` is clipping's factor, to be multiplied
 * into the gradient as it is read.
 */
export type StepContext = Readonly<{
  step: number;
  learningRate: number;
  appliesWeightDecay: boolean;
  weightDecay?: number | undefined;
  gradientScale: number;
}>;

/** How a parameter differs from the others: a rate of its own or a factor of it, a decay of its own. */
export type ParameterGroup = Readonly<{
  learningRate?: number | undefined;
  lrScale?: number | undefined;
  weightDecay?: number | undefined;
}>;

/** A pure rule over spans; owns no memory. */
export interface Optimizer extends Plugin<"optimizer"> {
  /** True where neighbouring tensors may be updated as one span. */
  readonly elementwise: boolean;
  /** Names and lengths of the state of one tensor; core allocates, zeroes and saves it. The names are always the same. */
  state(shape: readonly number[], name: string): Named<number>;
  update(span: FlatParameter, update: StepContext, kernels: Kernels): void;
  /** The group of each of some parameters; absent: they are all alike. */
  groups?(names: readonly string[], backbone: InspectedBackbone): readonly ParameterGroup[];
  /**
   * The factor by which a step changes a parameter that never had a gradient (rows of a table no token named);
   * undefined, or absent: such a parameter must be updated like the others.
   */
  decayWithoutGradient?(update: StepContext): number | undefined;
  /** The rate actually used, where it is not the schedule's (Adafactor's relative step). */
  learningRate?(step: number, scheduled: number): number;
  /** Writes the weights to evaluate and to save, where they are not those that train (averages). */
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
 * SIMD where there is WebAssembly, loops elsewhere, the same bits. Arrays are views of one memory and long enough, else
 * AttuneError is thrown before anything is written.
 */
export interface Kernels {
  /** AdamW (Loshchilov & Hutter 2019), one fused pass; the gradient is multiplied by `gradientScale` first. */
  adamw(span: FlatParameter<"m" | "v">, options: AdamStepOptions): void;
  /** Adam (Kingma & Ba 2015) as torch.optim.Adam: `weightDecay` is an L2 term of the gradient. */
  adam(span: FlatParameter<"m" | "v">, options: AdamStepOptions): void;
  /** AdamW of some rows of a table of `width` columns; a row that is named twice steps twice. */
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
  /** Σ x², accumulated in float64 in a fixed order. */
  sumOfSquares(x: Float32Array): number;
  /**
   * x *= factor, and Σ x² of the products as {@link sumOfSquares} has it; NaN where some x was not finite before. A
   * product that overflows makes the sum infinite.
   */
  unscale(x: Float32Array, factor: number): number;
  /** x *= factor */
  scale(x: Float32Array, factor: number): void;
  /** y += a x */
  axpy(y: Float32Array, a: number, x: Float32Array): void;
  /** table[rows[i]] += values[i] for rows of `width`; row -1 is left out. */
  scatterAddRows(table: Float32Array, rows: Int32Array, values: Float32Array, width: number): void;
}

/** A pure factor of the learning rate; `step` from 0. */
export interface Schedule extends Plugin<"schedule"> {
  factor(step: number, totalSteps: number, learningRate: number): number;
}

/** A regularizer: further terms of the loss, middleware, or both, in training only. Evaluation has none of it. */
export interface Regularizer extends Plugin<"regularizer"> {
  /** Further targets that it reads from a training row, besides the collator's. */
  fields?(row: Row, index: number): Named<Field>;
  /** Tensors that are computed once, before the first step, and stay as they are. */
  prepare?(probe: RegularizerContext): Promise<Named<Tensor<Float32Array>>>;
  /** Middleware around the model's seams, outside of what adapters put there. */
  around?(backbone: InspectedBackbone, frozen: Named<Value>): Middleware;
  /**
   * A scalar to minimize beside the losses, averaged over the step's micro-batches. Parameters that it asks for train,
   * and are not saved with the model. `again` makes another pass, with dropout drawn anew.
   */
  term?(b: GraphBuilder, pass: ForwardPass & Readonly<{ frozen: Named<Value>; again: () => ForwardPass }>): Value;
}

/** One forward pass. `loss`: the task's, scaled as terms are. */
export type ForwardPass = Readonly<{ states: BackboneOutput; outputs: Named<Value>; loss: Value }>;

/** The context of a regularizer before the first step: the trainable parameters, their initial values, and gradients of single rows there. */
export type RegularizerContext = Readonly<{
  /** By name; `fresh`: it had no saved value. */
  parameters: Named<Readonly<{ shape: readonly number[]; fresh: boolean }>>;
  /** Paths of linear layers, the head's too. */
  linears: readonly string[];
  read(name: string): Promise<Tensor<Float32Array>>;
  /** Of the task's loss of each row, without dropout. */
  gradients(data: Dataset): AsyncIterable<Named<Float32Array>>;
}>;

/** How the scale of losses starts, and when it changes: the arguments of torch's GradScaler. */
export type LossScaleOptions = Readonly<{
  initScale: number;
  growthFactor: number;
  backoffFactor: number;
  /** Good steps in a row before it grows. */
  growthInterval: number;
}>;

/**
 * Says how frozen weights are stored, and rewrites graphs as they are built. Each of several is asked in order: the first
 * that takes a weight stores it, all rewrite. Not `exact`: asked for by name.
 */
export interface Accelerator extends Plugin<"accelerator"> {
  readonly exact: boolean;
  /** Of which modules it may take weights; absent: of all that may be taken. */
  readonly modules?: Readonly<{ targetModules?: readonly string[] | undefined; skipModules: readonly string[] }>;
  /** Whether weights are its only business: a run where it can take none is an error, as is one without an adapter where it takes no weight that trains. */
  readonly needsFrozenWeights?: boolean;
  /** How a linear layer's weight that does not train is stored; undefined: another's business. */
  store?(weight: LinearWeight): WeightStorage | undefined;
  /**
   * How products over a linear layer's weight that trains are computed, in a run without an adapter; undefined: another's
   * business. Evaluation, and all that is written, are as without it.
   */
  multiply?(weight: LinearWeight): ProductFormat | undefined;
  /**
   * What loads a base so in Python, where that exists. `skipped`: linear layers to leave out, by the rule of
   * `llm_int8_skip_modules`; absent: those that Hugging Face leaves out by itself.
   */
  python?(skipped: readonly string[] | undefined): string | undefined;
  /** The most that the mean loss may change, in nats; more ends the run before step one. */
  readonly maxLossDrift?: number | undefined;
  /** How losses are scaled, where gradients have so few bits that small ones would be lost. */
  readonly lossScale?: LossScaleOptions;
  /** What there is to say before step one of a run on a provider, in one line. */
  notice?(provider: Provider): string | undefined;
  /** What stands between operations and their nodes, in each graph that is built: of the model, its losses and gradients. */
  rewrite?(device: Device): Rewrite;
}

/** Where a graph will run. */
export type Device = Readonly<{ provider: Provider; bytes: number; backbone: InspectedBackbone }>;

/**
 * The contracts: one interface per kind of component that fine-tuning is made of. Types only.
 *
 * Five ideas carry them. Counts come from the host: a loss is a sum, what divides it is counted on the labels.
 * Every batch is packed: a row holds one or more sequences, padding is the case of one. One parameter map, several
 * programs. JSON and objects are one run: where a plugin may stand, `{ use, with }` may stand. Wide methods, narrow
 * authors: authors annotate their narrow types, no casts.
 * @module
 */
import type { DType, Tensor } from "./tensor.ts";
import type { Graph, Shape, Value } from "./graph/graph.ts";
import type { Capabilities } from "./graph/capabilities.ts";
import type { Random } from "./random.ts";

export type { DType, Tensor } from "./tensor.ts";
export type { Random } from "./random.ts";
export type { Graph, Shape, Value } from "./graph/graph.ts";

// ---------------------------------------------------------------------------------------------------------- plugins

/** Anything JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** A read-only map from name to `T`. */
export type Named<T> = { readonly [name: string]: T };

/** Every kind of plugin: the `kind` it carries and the catalog's first key. */
export interface Kinds {
  source: Source;
  model: Model;
  tokenizer: TokenizerSource;
  dataset: Dataset;
  collator: Collator;
  head: Head;
  loss: Loss;
  objective: Objective;
  adapter: Adapter;
  optimizer: Optimizer;
  schedule: Schedule;
  regularizer: Regularizer;
  accelerator: Accelerator;
  metric: Metric;
  callback: Callback;
  logger: Logger;
  store: StoreSource;
  exporter: Exporter;
  search: Search;
  queue: Queue;
  trainer: Trainer;
}

/** The name of a kind. */
export type Kind = keyof Kinds;

/** What every plugin carries: enough to write it into a run spec and to find it again. */
export interface Plugin<K extends Kind = Kind> {
  readonly kind: K;
  readonly name: string;
  readonly options: object;
}

/** A Standard Schema, as valibot's schemas are. */
export interface Schema<In = unknown, Out = unknown> {
  readonly "~standard": Readonly<{
    types?: Readonly<{ input: In; output: Out }> | undefined;
    validate: (value: unknown) => Result<Out> | Promise<unknown>;
  }>;
}

/** A value, or what is wrong with the input. */
export type Result<T> = Readonly<{ value: T; issues?: undefined }> | Readonly<{ issues: readonly Issue[] }>;

/** One thing that is wrong, and where. */
export type Issue = Readonly<{
  message: string;
  path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}>;

/** What a catalog holds. `parts`: the options that are plugins, as `{ "tasks.*.task": "objective" }`. */
export interface Entry<K extends Kind = Kind> {
  readonly kind: K;
  readonly use: string;
  readonly schema: Schema;
  readonly parts: Named<Kind>;
  parse(options: unknown): Result<Kinds[K]>;
}

/** `lora({ r: 8 })` is the plugin, `lora` itself the catalog's entry. */
export interface Factory<K extends Kind, In> extends Entry<K> {
  (...args: Partial<In> extends In ? [options?: In] : [options: In]): Kinds[K];
}

/** Plain maps from kind and name to entry, handed in by the host. */
export type Catalog = { readonly [K in Kind]?: Named<Entry<K>> };

/** A plugin, or a reference to one. */
export type Use<K extends Kind> = Kinds[K] | Readonly<{ use: string; with?: object }> | string;

/** Several plugins or references. */
export type Several<K extends Kind> = readonly Use<K>[];

/** A run as JSON or as objects. See `core/spec.ts` for `training` and its defaults. */
export type RunSpec = Readonly<{
  version: 1;
  name?: string;
  model: Use<"source">;
  tokenizer?: Use<"tokenizer">;
  task: Use<"objective">;
  /** Absent where the task has its own. */
  data?: Readonly<{ train?: Use<"dataset">; eval?: Use<"dataset"> }>;
  collator?: Use<"collator">;
  head?: Use<"head">;
  loss?: Use<"loss">;
  adapter?: Use<"adapter"> | Several<"adapter">;
  optimizer?: Use<"optimizer">;
  schedule?: Use<"schedule">;
  regularizers?: Several<"regularizer">;
  accelerators?: Several<"accelerator">;
  metrics?: Several<"metric">;
  callbacks?: Several<"callback">;
  loggers?: Several<"logger">;
  exporters?: Several<"exporter">;
  store?: Use<"store">;
  trainer?: Use<"trainer">;
  search?: Use<"search">;
  training?: Partial<TrainingArguments>;
}>;

/** Hugging Face's TrainingArguments in camelCase, as far as they belong to the loop. Steps below 1 are ratios of all steps. */
export type TrainingArguments = Readonly<{
  learningRate: number;
  numTrainEpochs: number;
  maxSteps: number;
  perDeviceTrainBatchSize: number;
  perDeviceEvalBatchSize: number;
  gradientAccumulationSteps: number;
  maxGradNorm: number;
  maxLength: number | null;
  padding: "longest" | "max_length";
  padToMultipleOf: number | null;
  labelSmoothingFactor: number;
  seed: number;
  dataSeed: number | null;
  trainSamplingStrategy: "random" | "sequential" | "group_by_length";
  dataloaderDropLast: boolean;
  rowSharing: boolean;
  gradientCheckpointing: boolean;
  loggingStrategy: "no" | "steps" | "epoch";
  loggingSteps: number;
  loggingFirstStep: boolean;
  evalStrategy: "no" | "steps" | "epoch";
  evalSteps: number | null;
  evalDelay: number;
  evalOnStart: boolean;
  saveStrategy: "no" | "steps" | "epoch" | "best";
  saveSteps: number;
  saveTotalLimit: number | null;
  loadBestModelAtEnd: boolean;
  metricForBestModel: string | null;
  greaterIsBetter: boolean | null;
}>;

/** A composed run: every part is a plugin, every default filled in. `use` gives back what a part became. */
export interface Run {
  readonly spec: RunSpec;
  readonly name: string;
  readonly catalog: Catalog;
  readonly training: TrainingArguments;
  readonly source: Source;
  readonly tokenizer: TokenizerSource;
  readonly objective: Objective;
  readonly data: Readonly<{ train?: Dataset; eval?: Dataset }>;
  readonly adapters: readonly Adapter[];
  readonly optimizer: Optimizer;
  readonly schedule: Schedule;
  readonly regularizers: readonly Regularizer[];
  readonly accelerators: readonly Accelerator[];
  readonly metrics: readonly Metric[];
  readonly callbacks: readonly Callback[];
  readonly loggers: readonly Logger[];
  readonly exporters: readonly Exporter[];
  use<K extends Kind>(kind: K, part: Use<K>): Kinds[K];
}

// -------------------------------------------------------------------------------------------- building and its seams

/** Which ids a stream holds, as in input_ids and decoder_input_ids. */
export type Side = "input" | "decoder";

/** What models, adapters, heads, losses and regularizers build with. Inside middleware the seams are plain. */
export interface Build {
  readonly mode: "train" | "evaluate" | "generate";
  readonly graph: Graph;
  /** ε of label smoothing, for losses that know classes. */
  readonly labelSmoothing: number;
  /** `role`: whose places are asked for; in generation there are more keys than queries. */
  stream(side?: Side, role?: "queries" | "keys"): Stream;
  /** A field that the collator makes; a missing one is found before step 1. */
  input(name: string, dtype: DType, shape: Shape): Value;
  /** The places [picked] that have labels of this name, for `rows`; undefined where rows come without labels. */
  labelled(name: string): Value | undefined;
  /** Whether the collator makes a field; false where nothing is known of rows. */
  given(name: string): boolean;
  /** The same name, the same value. `frozen`: never trains, as a buffer or what an adapter keeps as it was. */
  parameter(name: string, shape: readonly number[], init?: Init, options?: { readonly frozen?: boolean }): Value;
  /** What trains in this run. */
  trainable(): Named<Value>;
  /** In training each value is zero with probability p, the others grow by 1 / (1 - p); x is of places, or of weights. */
  dropout(x: Value, p: number): Value;
  /** Uniform numbers from -1 to 1 of a shape [places, ...], drawn by the host; zero at padding and outside training. */
  noise(like: Value): Value;
  linear(path: string, x: Value, options: LinearOptions): Value; // [tokens, in] → [tokens, out]
  embedding(path: string, ids: Value, options: EmbeddingOptions): Value; // [batch, seq] → [tokens, embeddingDim]
  /** [batch, seq, heads, headDim] each; several heads of `q` may share one of `k` and `v`, in order. */
  attention(path: string, q: Value, k: Value, v: Value, options?: AttentionOptions): Value;
  /** `f` without the residual. */
  sublayer(path: string, x: Value, f: (x: Value) => Value, options?: SublayerOptions): Value;
  /** Some places of [batch*seq, ...] of either side: what a head does not read is then not computed. */
  rows(x: Value, index: Value): Value;
  /**
   * Marks a layer: its output may be asked for, and gradient checkpointing cuts here. `also`: what else it reads that
   * was computed before it, as the encoder's states.
   */
  layer(path: string, x: Value, f: (x: Value) => Value, also?: readonly Value[]): Value;
}

/**
 * One side's places; the decoder's side has `decoderSeq` where the other has `seq`. `segments`: 0 is padding, n the n-th
 * sequence of its row, the same on both sides; `positions` restart in each sequence; both [batch, seq] int32, as
 * `sequence`: the batch's sequence that a place belongs to, -1 at padding. `columns`: 0, 1, 2, ... [seq] int32. `first`
 * and `last`: each sequence's place within batch * seq, [sequences] int32.
 */
export type Stream = Readonly<{
  ids: Value;
  segments: Value;
  positions: Value;
  sequence: Value;
  columns: Value;
  first: Value;
  last: Value;
}>;

/**
 * A linear layer. `tied`: the parameter it shares its weight with. `conv1d`: stored [in, out], as GPT-2 does. `init`:
 * of the weight, where not as the model's others.
 */
export type LinearOptions = Readonly<
  { outFeatures: number; bias?: boolean; tied?: string; conv1d?: boolean; init?: Init }
>;

/** An embedding table. `paddingIdx`: the row that gets no gradient; `scale`: what rows that are looked up are multiplied by. */
export type EmbeddingOptions = Readonly<{
  numEmbeddings: number;
  embeddingDim: number;
  scale?: number;
  init?: Init;
  paddingIdx?: number;
  side?: Side;
}>;

/** How attention masks, scales and drops. */
export type AttentionOptions = Readonly<{
  causal?: boolean;
  /** Keys less than so many places away are seen: before the query where causal, else to both sides. */
  window?: number;
  scale?: number;
  softcap?: number;
  dropout?: number;
  queries?: Side;
  keys?: Side;
  bias?: Value; // broadcasts to [batch, heads, q, k]
  /** That of keys that stand in front, at these positions [count] int32; absent: a bias leaves no room for such keys. */
  biasInFront?: (positions: Value) => Value;
  mask?: Value; // [batch, q, k], besides the segments
}>;

/** What `f` is added to (absent: `x`), and the norm that comes behind the sum, if one does. */
export type SublayerOptions = Readonly<{ residual?: Value; norm?: (sum: Value) => Value }>;

/** What each middleware is given. `weight` is [out, in] however it is stored; every token sees the first `prefix` keys. */
export interface Seams {
  linear: Readonly<
    { path: string; x: Value; weight: Value; bias: Value | undefined; inFeatures: number; outFeatures: number }
  >;
  /** What is looked up is multiplied by `scale`. */
  embedding: Readonly<
    { path: string; ids: Value; weight: Value; embeddingDim: number; scale: number; side: Side }
  >;
  attention: Readonly<{ path: string; q: Value; k: Value; v: Value; prefix: number; options: AttentionOptions }>;
  sublayer: Readonly<{ path: string; x: Value; hiddenSize: number; residual: Value; norm?: (sum: Value) => Value }>;
  /** Around a whole layer. */
  layer: Readonly<{ path: string; x: Value; hiddenSize: number }>;
}

/** Initial values: a constant fill, a normal's standard deviation, a uniform's bound, or anything else from the checkpoint. */
export type Init =
  | "zeros"
  | "ones"
  | { readonly normal: number }
  | { readonly uniform: number }
  | ((weights: Pick<Weights, "read">, random: Random) => Promise<Float32Array>);

// ------------------------------------------------------------------------------------- source, model, adapter, head

/** Opens a checkpoint: `pretrained`, `random`, `attune:base`. */
export interface Source extends Plugin<"source"> {
  open(host: Host): Promise<Checkpoint>;
}

/** An opened checkpoint; `model_type` of its config picks the model from the catalog. `root`: what weight files are relative to. */
export type Checkpoint = Readonly<{
  config: Named<Json>;
  files: Store;
  weights: Weights;
  /** Of the config and every byte of the weights, read when it is first asked for. */
  fingerprint(): Promise<string>;
  /** How it is named in cards and adapter_config.json. */
  label: string;
}>;

/** The tensors of a checkpoint. */
export interface Weights {
  readonly names: readonly string[];
  /** Decoded to float32; throws where there is no such name. */
  read(name: string): Promise<Tensor<Float32Array>>;
  /** As it is stored, where that is integers with a scale per row. */
  quantized?(name: string): Promise<QuantizedTensor | undefined>;
  /** Where the bytes lie; `file` is a checked real path where the host can map files, else undefined. */
  locate(name: string): WeightLocation | undefined;
}

/** x[r] = scale[r] · values[r]. */
export type QuantizedTensor = Readonly<{ values: Tensor<Int8Array>; scale: Tensor<Float32Array> }>;

/** Where a tensor's bytes lie. */
export type WeightLocation = Readonly<{
  file: string | undefined;
  offset: number;
  bytes: number;
  dtype: DType;
  dims: readonly number[];
}>;

/** One family, written once; `read` refuses by name what it does not support. */
export interface Model extends Plugin<"model"> {
  readonly modelTypes: readonly string[];
  /** `names`: those of the checkpoint's tensors, where they are known. */
  read(config: Named<Json>, names?: readonly string[]): Architecture;
}

/** A family read with one config. */
export type Architecture = Readonly<{
  hiddenSize: number;
  numHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  vocabSize: number;
  maxPositions: number;
  baseModelPrefix: string;
  /** Path of the word embeddings' module. */
  wordEmbeddings: string;
  /** Paths of the layers, in order. */
  layers: readonly string[];
  heads: Named<HeadStyle>;
  initializerRange: number;
  /**
   * The token that a decoder's inputs begin with, of a model that has that side. Sequences without inputs of their own
   * for it get theirs shifted right behind it.
   */
  decoderStart?: number;
  /** Positions count from `offset`; tokens whose id is `skip` are skipped and stand at `skip` (RoBERTa). Absent: from 0. */
  positions?: Readonly<{ offset: number; skip?: number }>;
  /** Batches with more positions than this are computed with other angles: what was kept of earlier steps does not fit. */
  anglesChangeAt?: number;
  /** Where a head reads each sequence's last token, tokens with this id at its end do not count. */
  padTokenId?: number;
  forward: (b: Build) => States;
}>;

/** An architecture with what a dry build asked for: paths of its linear layers and embeddings, names of its parameters. */
export interface Trunk extends Architecture {
  /** model_type of the config. */
  readonly modelType: string;
  readonly linears: readonly string[];
  /** Those of the linear layers that store their weight as [in, out]. */
  readonly conv1ds: readonly string[];
  readonly embeddings: readonly string[];
  /** What rows of embeddings are multiplied by where they are looked up, by path, where not 1. */
  readonly scales: Named<number>;
  /** Dims of its parameters, by name. */
  readonly shapes: Named<readonly number[]>;
  readonly parameters: readonly string[];
}

/** What a model computes: rows are places of the batch. */
export type States = Readonly<{
  /** [batch*seq, hidden]; of a model with two sides the decoder's, [batch*decoderSeq, hidden]. */
  hidden: Value;
  /** What the layers gave whose last is `hidden`, from the embeddings on. */
  all: readonly Value[];
  /** What the decoder's side reads of the other one. */
  encoder?: Value;
  /** A second stream over the same places, as XLNet's of queries. */
  query?: Value;
}>;

/** How a family builds "sequence", "token", "mlm", ...: data, so that heads know no family. */
export type HeadStyle = Readonly<{
  pool?: "first" | "last" | "mean";
  steps: readonly (
    | { readonly dense: string; readonly outFeatures?: number; readonly bias?: boolean }
    | { readonly activation: string }
    | { readonly norm: string; readonly epsilon: number; readonly bias?: boolean }
    | { readonly dropout: number }
    | { readonly scale: number }
  )[];
  out: string;
  bias?: boolean;
  /** The output's bias, where it is not of the module `out`. */
  outBias?: string;
  tied?: boolean;
  /** c of c · tanh(x / c) on what comes out. */
  softcap?: number;
  /** What the library's class with this head puts in front of the model's names, where those with other heads do not. */
  under?: string;
  /** Modules that train beside an adapter, where not those that the head names. */
  modulesToSave?: readonly string[];
  /** A buffer [1, classes] that is added to the outputs and does not train. */
  buffer?: string;
}>;

/** Middleware around the named seams of a model. */
export interface Adapter extends Plugin<"adapter"> {
  /** Reads what it continues from (`from`), if anything, before it is attached. */
  open?(host: Host): Promise<Adapter>;
  attach(trunk: Trunk, context: AttachContext): Attached;
}

/** What an adapter is told besides the model: the head's own modules, PEFT's task_type, the run's tokenizer. */
export type AttachContext = Readonly<{
  modules: readonly string[];
  task: string;
  tokenizer?: Tokenizer;
  /** Whether the checkpoint has weights of a module. */
  stored?: (module: string) => boolean;
}>;

/** Middleware per seam. */
export type Around = {
  readonly [S in keyof Seams]?: (b: Build, call: Seams[S], next: (call: Seams[S]) => Value) => Value;
};

/** What is done between optimizer steps. Its state is part of checkpoints. */
export interface Stepper {
  tensors(): Named<Tensor<Float32Array>>;
  restore(tensors: Named<Tensor<Float32Array>>): void;
  /** Behind an update; `parameter` gives views that may be changed, and the gradient of that update, not yet clipped. */
  after(
    at: Readonly<{
      step: number;
      totalSteps: number;
      gradientScale: number;
      parameter(name: string): Readonly<{ value: Float32Array; gradient: Float32Array }> | undefined;
    }>,
  ): void;
}

/** An adapter that knows its trunk. */
export interface Attached extends Around {
  /** Other parameters: biases, modulesToSave, all, none; the last adapter that answers decides. */
  trains?(name: string): boolean | undefined;
  /** Values to start from, where it continues a saved adapter. */
  readonly weights?: Weights;
  /** Stands in front of the names of its own parameters, where several adapters are attached. */
  readonly name?: string;
  /** A further term of the training loss, of its own parameters: a scalar, once a step. */
  penalty?(b: Build): Value;
  /** What it does between steps, afresh for each training. */
  stepper?(): Stepper;
  /** Places kept free in front of each sequence; positions alone are the decoder's where a model has that side. */
  readonly reserve?: Readonly<{ tokens?: number; positions?: number }>;
  /** True where several sequences may not share a row. */
  readonly unshareable?: boolean;
  /** A parameter of the model with the adapter folded in, weights as [out, in]; absent: cannot be merged. */
  merge?(name: string, value: Tensor<Float32Array>, own: (name: string) => Tensor<Float32Array>): Tensor<Float32Array>;
  /**
   * adapter_config.json, and a parameter's key in the file (undefined: it is not in it); loading reads the same map.
   * `derived`: further tensors of the file, made of own parameters.
   */
  readonly peft?: Readonly<{
    /** Whose files: PEFT's (absent), or AdapterHub's, where the head has a file of its own. */
    format?: "adapterhub";
    config: Named<Json>;
    key(name: string): string | undefined;
    derived?(read: (name: string) => Promise<Tensor<Float32Array>>): Promise<Named<Tensor>>;
  }>;
}

/** Hidden states to named outputs: "logits", "startLogits". */
export interface Head extends Plugin<"head"> {
  /** Modules that train beside an adapter, as PEFT's modules_to_save. */
  readonly modulesToSave: readonly string[];
  /** True where several sequences may not share a row. */
  readonly unshareable?: boolean;
  forward(b: Build, states: States, trunk: Trunk): Named<Value>;
}

/**
 * Element losses added up. `count`: what divides the sum, from the target alone. `over`: one mean over the "step", or
 * the mean of the means of each "batch". `per`: what the target has a row for, where it is not each row of the output.
 */
export interface Loss extends Plugin<"loss"> {
  readonly over: "step" | "batch";
  readonly per?: "sequence";
  sum(b: Build, output: Value, target: Value): Value;
  count(target: Tensor): number;
}

/** What is learned, as data: tasks whose parts are default references, which a spec may replace. */
export interface Objective extends Plugin<"objective"> {
  readonly tasks: readonly Task[];
  /** How often each of several tasks has its turn, in proportion, given the number of its rows; absent: by these. */
  sampling?(rows: Named<number>): Named<number>;
}

/** How text is generated, as far as Hugging Face's GenerationConfig is built here, in camelCase. */
export type GenerationConfig = Readonly<{
  maxNewTokens: number;
  minNewTokens: number;
  doSample: boolean;
  temperature: number;
  /** The tokens that may be drawn: the most likely so many; 0: all. */
  topK: number;
  /** The tokens that may be drawn: the most likely that together reach this probability. */
  topP: number;
  numBeams: number;
  lengthPenalty: number;
  earlyStopping: boolean | "never";
  /** 0: all may come again. */
  noRepeatNgramSize: number;
  repetitionPenalty: number;
  /** What ends a text; null: what the checkpoint says. */
  eosTokenId: number | readonly number[] | null;
  seed: number;
}>;

/** What a task may be told when a run is composed: the checkpoint's config. */
export type TaskContext = Readonly<{ config: Named<Json>; training: TrainingArguments }>;

/**
 * One task. `name` is "" when alone; else it prefixes metrics, head parameters and the task's own adapters.
 * `decode`: outputs as metrics read them.
 */
export interface Task {
  readonly name: string;
  readonly collator: Use<"collator">;
  readonly heads: Several<"head">;
  readonly metrics: Several<"metric">;
  readonly adapters?: Several<"adapter">;
  readonly losses: readonly Readonly<{ loss: Use<"loss">; output: string; target: string; weight?: number }>[];
  /** Its own data, where several tasks have theirs. */
  readonly data?: RunSpec["data"];
  /** How much its losses count beside other tasks'. */
  readonly weight?: number;
  /** Whether several samples of the training data make one row of `maxLength`. */
  readonly packing?: boolean;
  /**
   * Rows are answered with what the model goes on with: `predict` is given `sequences` [rows, longest], -1 behind the
   * end. What is not said here is as the checkpoint's generation_config.json has it.
   */
  readonly generate?: Partial<GenerationConfig>;
  /** Outputs that `decode` reads; absent: all. Others are not computed whole where rows have labels. */
  readonly reads?: readonly string[];
  /** Changes to the config of what is saved: id2label, problem_type. */
  readonly config?: Named<Json>;
  /** PEFT's task_type. */
  readonly taskType?: string;
  /** What of transformers' classes has this head: "ForMultipleChoice"; absent: `taskType` says it. */
  readonly modelClass?: string;
  /** Whose outputs become targets. */
  readonly teacher?: Teacher;
  decode(
    outputs: Named<Tensor>,
    batch: Batch,
    tokenizer: Tokenizer,
  ): { readonly [R in keyof Readings]?: readonly Readings[R][] };
  /** One JSON line per row, as `attune predict` prints it. */
  predict(outputs: Named<Tensor>, batch: Batch, tokenizer: Tokenizer): readonly Named<Json>[];
  /** How rows are read that may be several samples, where they are. */
  readonly windows?: Windows;
}

/** What each sample of a row gives, and what a row's readings and prediction are, of all that its samples gave. */
export interface Windows {
  part(outputs: Named<Tensor>, batch: Batch, tokenizer: Tokenizer): readonly unknown[];
  decode(parts: readonly unknown[]): { readonly [R in keyof Readings]?: readonly Readings[R][] };
  predict(parts: readonly unknown[]): Named<Json>;
}

/** A model whose `outputs` for each row become targets `teacher.<output>`; cached under `cache`, if not null. */
export type Teacher = Readonly<{
  source: Use<"source">;
  tokenizer?: Use<"tokenizer">;
  task: Task;
  outputs: readonly string[];
  cache: string | null;
}>;

// -------------------------------------------------------------------------------------------------- rows to batches

/** One row of data. */
export type Row = Named<unknown>;

/** Behind the last row given; `inner`: those of the sources of a transform. */
export type Cursor = Readonly<{ at: number; inner?: readonly Cursor[] }>;

/** Rows; a transform is a dataset with a dataset among its options: `dedupe({ source: jsonl({ path }) })`. */
export interface Dataset extends Plugin<"dataset"> {
  open(host: Host): Promise<Rows>;
}

/** Opened rows. `length` absent: a stream. `at` absent: shuffling uses a bounded buffer. */
export interface Rows {
  readonly length?: number;
  readonly fingerprint: string;
  /** `where`: the place that a person would look for the row at, as a file and its line. */
  read(from?: Cursor): AsyncIterable<Readonly<{ row: Row; next: Cursor; where?: string }>>;
  at?(indices: readonly number[]): Promise<readonly Row[]>;
}

/** Opens a tokenizer from a checkpoint's files. */
export interface TokenizerSource extends Plugin<"tokenizer"> {
  open(files: Store): Promise<Tokenizer>;
}

/** Text to ids and back. Offsets are in UTF-16 units. */
export interface Tokenizer {
  readonly vocabSize: number;
  /** Ids of pad, unk, cls, sep, mask, bos, eos, as far as there are any. */
  readonly special: Named<number>;
  readonly paddingSide: "left" | "right";
  readonly modelMaxLength: number | undefined;
  readonly fingerprint: string;
  /** All windows: one, or more with `stride`. Throws where a stride leaves no room. */
  encode(text: string | readonly string[], options?: EncodeOptions): readonly [Encoding, ...Encoding[]];
  decode(ids: ArrayLike<number>, options?: Readonly<{ skipSpecialTokens?: boolean }>): string;
  /** A conversation as text; `addGenerationPrompt`: up to where the assistant would begin. */
  chat(messages: readonly Named<string>[], options?: Readonly<{ addGenerationPrompt?: boolean }>): Readonly<{
    text: string;
    assistant: readonly (readonly [start: number, end: number])[];
  }>;
}

/**
 * Hugging Face's call options in camelCase. `overflow`: all windows, not only the first. `offsets`: false leaves
 * offsets and wordIds empty, which is faster.
 */
export type EncodeOptions = Readonly<{
  textPair?: string | readonly string[];
  maxLength?: number;
  truncation?: boolean | "longest_first" | "only_first" | "only_second" | "do_not_truncate";
  stride?: number;
  overflow?: boolean;
  offsets?: boolean;
  addSpecialTokens?: boolean;
}>;

/** Per token (offsets: two); wordIds and sequenceIds are -1 at special tokens. */
export type Encoding = Readonly<{
  ids: Int32Array;
  typeIds: Int32Array;
  specialTokensMask: Int32Array;
  offsets: Int32Array;
  wordIds: Int32Array;
  sequenceIds: Int32Array;
}>;

/** Row → samples is pure, so it is cached and runs ahead. Samples → batch is padding where `collate` is absent. */
export interface Collator extends Plugin<"collator"> {
  /** Told the checkpoint's config and the run's lengths. */
  encode(row: Row, index: number, context: CollatorContext): readonly Sample[];
  /** A sample with what is drawn for it anew in each epoch, as masks; `random` is its own. Absent: nothing is. */
  draw?(sample: Sample, random: Random, context: CollatorContext): Sample;
  collate?(samples: readonly Sample[], layout: Layout): Batch;
}

/** What a collator may know. */
export type CollatorContext = Readonly<{
  tokenizer: Tokenizer;
  random: Random;
  maxLength: number | undefined;
  /** True where labels must be there. */
  labelled: boolean;
  modelType: string;
  /** The token that the decoder's inputs begin with, of a model that has that side. */
  decoderStart?: number | undefined;
  /** The checkpoint's config. */
  config: Named<Json>;
}>;

/** What is counted: one sequence mostly, n for choices; a QA row gives one sample per window. `targets`: [samples, ...]. */
export type Sample = Readonly<{
  sequences: readonly Readonly<{ length: number; decoderLength?: number; fields: Named<Field> }>[];
  targets: Named<Field>;
  /** The row this came from. */
  row: number;
  /** What the task's decoding wants to know of it, beside numbers. */
  about?: unknown;
  /** All of its sequences stand in one row. */
  packed?: boolean;
}>;

/**
 * Padding and packing are generic over these. `size`: values per place; `fill`: what padding gets. `ignore`: labels,
 * of which only places with another value are laid out: `<name>` [picked] and `<name>.at` [picked], their places.
 * `shift`: a label is predicted that many places before its own. `column`: values are places of the sample's first
 * sequence, and become those of its row.
 */
export type Field = Readonly<{
  per: "token" | "decoderToken" | "pair" | "sample";
  data: Float32Array | Int32Array;
  fill: number;
  size?: number;
  ignore?: number;
  shift?: number;
  column?: boolean;
}>;

/** How a batch is laid out. `share`: short sequences share a row. */
export type Layout = Readonly<{
  side: "left" | "right";
  padToMultipleOf: number;
  padToLength: number;
  share: boolean;
  positions?: Readonly<{ offset: number; skip?: number }>;
  /** `last` is the last token whose id is another one. */
  padTokenId?: number;
  /** The name of the task whose samples these are, where there are several. */
  task?: string;
  reserve: Readonly<{ tokens: number; positions: number }>;
}>;

/**
 * One micro-batch. `inputs` are the graph's; `rows`: each sample's index in the dataset; `places`: for each of
 * batch * seq places its sequence within the batch (-1: padding) and its place in it, which is what random masks
 * depend on. `decoder`: the same of the decoder's side, and which of the inputs are of that side. The input `members`
 * [samples, members] says which sequences are whose (-1: none).
 */
export type Batch = Readonly<{
  inputs: Named<Tensor>;
  batch: number;
  seq: number;
  samples: number;
  sequences: number;
  tokens: number;
  rows: Int32Array;
  places: Int32Array;
  decoder?: Readonly<{ seq: number; places: Int32Array; inputs: readonly string[] }>;
  /** In generation: places of each row that were computed before. */
  past?: number;
  /** What the collator says of each sample. */
  about?: readonly unknown[];
  /** The name of its task, where there are several. */
  task?: string;
}>;

// ----------------------------------------------------------------- optimizer, schedule, regularizer, accelerator

/** Views of the one memory: a tensor, or neighbours of one group if `elementwise`. */
export type Span<S extends string = string> = Readonly<{
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
export type Update = Readonly<{
  step: number;
  learningRate: number;
  decays: boolean;
  weightDecay?: number | undefined;
  gradientScale: number;
}>;

/** How a parameter differs from the others: a rate of its own or a factor of it, a decay of its own. */
export type Group = Readonly<{
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
  update(span: Span, update: Update, kernels: Kernels): void;
  /** The group of each of some parameters; absent: they are all alike. */
  groups?(names: readonly string[], trunk: Trunk): readonly Group[];
  /**
   * The factor by which a step changes a parameter that never had a gradient (rows of a table no token named);
   * undefined, or absent: such a parameter must be updated like the others.
   */
  idle?(update: Update): number | undefined;
  /** The rate actually used, where it is not the schedule's (Adafactor's relative step). */
  learningRate?(step: number, scheduled: number): number;
  /** Writes the weights to evaluate and to save, where they are not those that train (averages). */
  evaluated?(span: Span, to: Float32Array): void;
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
  adamw(span: Span<"m" | "v">, options: AdamStepOptions): void;
  /** Adam (Kingma & Ba 2015) as torch.optim.Adam: `weightDecay` is an L2 term of the gradient. */
  adam(span: Span<"m" | "v">, options: AdamStepOptions): void;
  /** AdamW of some rows of a table of `width` columns; a row that is named twice steps twice. */
  adamwRows(span: Span<"m" | "v">, rows: Int32Array, width: number, options: AdamStepOptions): void;
  /** SGD with momentum as torch.optim.SGD; `momentum` state may be empty where momentum is 0. */
  sgd(
    span: Span<"momentum">,
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

/** What stands between training and its loss alone: terms, middleware in training, or both. Evaluation has none of it. */
export interface Regularizer extends Plugin<"regularizer"> {
  /** What it reads of a training row besides what the collator makes: targets of its sample. */
  fields?(row: Row, index: number): Named<Field>;
  /** Tensors that are computed once, before the first step, and stay as they are. */
  prepare?(probe: Probe): Promise<Named<Tensor<Float32Array>>>;
  /** Middleware around the model's seams, outside of what adapters put there. */
  around?(trunk: Trunk, frozen: Named<Value>): Around;
  /**
   * A scalar to be minimized beside the losses, averaged over the step's micro-batches. Parameters that it asks for train,
   * and are not part of what is saved as the model.
   */
  term?(b: Build, pass: Pass & Readonly<{ frozen: Named<Value>; again: () => Pass }>): Value;
}

/** One forward pass. `loss`: the task's, scaled as terms are. `again`: another one, with dropout drawn anew. */
export type Pass = Readonly<{ states: States; outputs: Named<Value>; loss: Value }>;

/** What a regularizer may know before the first step: what trains, from where, and the gradients of single rows there. */
export type Probe = Readonly<{
  /** By name; `fresh`: it had no saved value. */
  parameters: Named<Readonly<{ shape: readonly number[]; fresh: boolean }>>;
  /** Paths of linear layers, the head's too. */
  linears: readonly string[];
  read(name: string): Promise<Tensor<Float32Array>>;
  /** Of the task's loss of each row, without dropout. */
  gradients(data: Dataset): AsyncIterable<Named<Float32Array>>;
}>;

/** Rewrites graphs before gradients are built or after; says how frozen weights are stored. Not `exact`: asked for by name. */
export interface Accelerator extends Plugin<"accelerator"> {
  readonly exact: boolean;
  readonly lossScale?: Readonly<{ initial: number; growthInterval: number }>;
  forward?(graph: Graph, device: Device): Graph;
  training?(graph: Graph, device: Device): Graph;
  store?(
    name: string,
    dims: readonly number[],
  ): Readonly<{ dtype: DType | "int4"; block?: number; compute?: "int8" }> | undefined;
}

/** Where a graph will run. */
export type Device = Readonly<{ provider: Provider; can: Capabilities; bytes: number; trunk: Trunk }>;

/** ONNX Runtime's execution providers, as far as capability tables exist. */
export type Provider = "cpu" | "wasm" | "webgpu" | "cuda";

// ---------------------------------------------------------------------------------- events, metrics, checkpoints

/** What the loop tells. `step` counts finished optimizer steps, from 1 in "step". */
export type TrainingEvent =
  & Readonly<{ step: number; epoch: number }>
  & (
    | Readonly<{
      type: "start";
      totalSteps: number;
      totalEpochs: number;
      trainableParameters: number;
      totalParameters: number;
      trainRows: number;
      evalRows: number;
    }>
    | Readonly<{
      type: "step";
      loss: number;
      losses: Named<number>;
      gradNorm: number;
      learningRate: number;
      tokens: number;
      samples: number;
      skipped: boolean;
    }>
    | Readonly<{ type: "evaluate"; metrics: Named<number>; best: boolean }>
    | Readonly<{ type: "checkpoint"; name: string }>
    | Readonly<
      {
        type: "examples";
        phase: "before" | "after";
        labels: readonly string[];
        metrics: Named<number>;
        examples: readonly Example[];
      }
    >
    | Readonly<{ type: "progress"; what: string; done: number; total: number }>
    | Readonly<{ type: "warning"; code: string; message: string }>
    | Readonly<
      { type: "end"; reason: "done" | "stopped" | "interrupted" | "diverged"; metrics: Named<number>; message?: string }
    >
  );

/** One evaluated row, for reports. `scores`: probabilities by class, where there are classes. */
export type Example = Readonly<{
  row: number;
  text: string;
  reference: Json;
  prediction: Json;
  scores?: readonly number[];
  /** This row's own loss, where it is one of classes. */
  loss?: number;
  /** The words that reference and prediction have a tag each for. */
  words?: readonly string[];
}>;

/** A reducer: its state is plain data and part of the checkpoint; what it asks for happens between steps. */
export interface Callback extends Plugin<"callback"> {
  init(): unknown;
  on(state: unknown, event: TrainingEvent): Readonly<{ state: unknown; ask?: Ask }>;
}

/** What a callback may ask for. */
export type Ask = Readonly<{
  stop?: string;
  evaluate?: boolean;
  save?: boolean;
  /** Keep a copy of the trained weights as the best so far, and put it back at the end. */
  keep?: boolean;
  learningRateFactor?: number;
}>;

/** Receives events. */
export interface Logger extends Plugin<"logger"> {
  open(host: Host, run: Run, output: Store | undefined): Promise<LogSink>;
}

/** An opened logger. */
export interface LogSink {
  log(event: TrainingEvent): void;
  /** Called before a checkpoint: writes out what was logged and says where the log stands. */
  mark?(): Promise<Json>;
  /** Called before "start" where a run goes on from a checkpoint: what was logged behind the mark never was. */
  resume?(mark: Json): void;
  close(): Promise<void>;
}

/** What a metric can read: the same in the trainer, at an endpoint, in a browser. */
export interface Readings {
  label: Readonly<{ prediction: number; reference: number; scores?: ArrayLike<number> }>;
  number: Readonly<{ prediction: number; reference: number }>;
  labels: Readonly<{ prediction: readonly number[]; reference: readonly number[]; scores?: ArrayLike<number> }>;
  loss: Readonly<{ sum: number; count: number }>;
  tags: Readonly<{ prediction: readonly string[]; reference: readonly string[] }>;
  text: Readonly<{ prediction: string; references: readonly string[]; noAnswerProbability?: number }>;
}

/**
 * Streaming: state is plain data of bounded size, so it crosses workers and HTTP; merge is associative. `reads`: the
 * readings it takes, in order of preference. `compute`'s keys: the metric's use name, F1 and its like with their average.
 */
export interface Metric extends Plugin<"metric"> {
  readonly reads: readonly (keyof Readings)[];
  readonly greaterIsBetter: boolean;
  init(): unknown;
  update(state: unknown, example: Readings[keyof Readings]): unknown;
  merge(a: unknown, b: unknown): unknown;
  compute(state: unknown): Named<number | null>;
}

// ---------------------------------------------------------------------------- store, exporter, search, trainer, host

/** Opens a store. */
export interface StoreSource extends Plugin<"store"> {
  open(host: Host): Promise<Store>;
}

/** Named bytes. Each write changes `revision`; `if: null` means "only if absent"; a lost race is an answer, not an error. */
export interface Store {
  get(
    key: string,
    range?: Readonly<{ offset: number; length: number }>,
  ): Promise<(Stored & { readonly bytes: Uint8Array }) | undefined>;
  put(
    key: string,
    bytes: Uint8Array | AsyncIterable<Uint8Array>,
    options?: { readonly if?: string | null },
  ): Promise<Stored | "conflict">;
  delete(key: string, options?: { readonly if?: string }): Promise<"done" | "conflict">;
  list(prefix: string): AsyncIterable<Stored>;
  /**
   * Adds to the end of an object, which it makes where there is none; absent where an object can only be replaced. What
   * was appended may be lost with the machine until one append has asked for `sync`.
   */
  append?(key: string, bytes: Uint8Array, options?: { readonly sync?: boolean }): Promise<Stored>;
  /** A checked real path that ONNX Runtime may map; absent where there are no files. */
  locate?(key: string): Promise<string>;
  /** Lets go of a connection, where there is one. */
  close?(): Promise<void>;
}

/** What a store knows of one key. `size` is the whole object's, also for ranges. */
export type Stored = Readonly<{ key: string; size: number; revision: string }>;

/** Trained state → files of another ecosystem. */
export interface Exporter extends Plugin<"exporter"> {
  write(trained: Trained, to: Store): Promise<readonly string[]>;
}

/** What an exporter is given. Tensors are read one at a time, so that a model need not be in memory at once. */
export type Trained = Readonly<{
  base: Checkpoint;
  trunk: Trunk;
  task: Task;
  attached: readonly Attached[];
  /** Names of the parameters that trained, or that the base has no values for. */
  trained: readonly string[];
  /** Every parameter of the program, and whether it is an adapter's own. */
  all: Named<Readonly<{ shape: readonly number[]; adapter: boolean }>>;
  read(name: string): Promise<Tensor<Float32Array>>;
  metrics: Named<number>;
  card: string;
}>;

/** Pure: the next trial from all trials so far; undefined ends the search. */
export interface Search extends Plugin<"search"> {
  next(space: Named<Space>, trials: readonly Trial[], random: Random): Named<Json> | undefined;
  prune?(trial: Trial, trials: readonly Trial[]): boolean;
}

/** What one searched option may be. */
export type Space =
  | { readonly values: readonly Json[] }
  | Readonly<{ min: number; max: number; log?: boolean; integer?: boolean }>;

/** One trial and how it went. */
export type Trial = Readonly<{
  set: Named<Json>;
  scores: readonly Readonly<{ step: number; value: number }>[];
  state: "running" | "done" | "pruned" | "failed";
}>;

/** Tells runners which jobs to look at. A hint only: what a job is, its record says, and records rebuild a queue that is lost. */
export interface Queue extends Plugin<"queue"> {
  open(host: Host): Promise<OpenQueue>;
}

/** An opened queue: at least once, in no order that matters. */
export interface OpenQueue {
  /** Adds a job's id; the same one may be there several times. */
  push(id: string): Promise<void>;
  /** Takes an id, which others do not see for some seconds; it comes back then unless it was done. */
  pull(seconds: number): Promise<Hint | undefined>;
  close(): Promise<void>;
}

/** An id from a queue. `done` removes it, `back` gives it to others at once; both do nothing where it has come back already. */
export interface Hint {
  readonly id: string;
  done(): Promise<void>;
  back(): Promise<void>;
}

/** Here (ort) or elsewhere (torch): the iterable is all one sees, the signal all one controls. */
export interface Trainer extends Plugin<"trainer"> {
  plan(run: Run, host: Host): Promise<Plan>;
  train(run: Run, host: Host, options: TrainOptions): AsyncIterable<TrainingEvent>;
}

/** What a run will take, part by part. `tokens`: those of all its steps, without padding. */
export type Plan = Readonly<{
  fits: boolean;
  steps: number;
  tokens: number;
  bytes: Named<number>;
  flops: number;
  seconds: number;
  /** Where the work lies: the model's parts forward, all of them backward, evaluations. */
  work: Named<Readonly<{ flops: number; seconds: number }>>;
  trainableParameters: number;
  totalParameters: number;
}>;

/** Where a run writes, and how it is stopped. */
export type TrainOptions = Readonly<{ output?: Store; resume?: boolean; probe?: boolean; signal?: AbortSignal }>;

/** All that reaches the machine. `lib`: an onnxruntime module as imported. */
export interface Host {
  readonly runtime: "node" | "bun" | "deno" | "workerd" | "browser";
  readonly provider: Provider;
  readonly lib?: Ort;
  readonly env: Named<string | undefined>;
  readonly fetch: typeof fetch;
  readonly clock: { now(): number; sleep(ms: number, signal?: AbortSignal): Promise<void> };
  /** A directory of files as a store; paths are absolute or relative to `base`. */
  directory?(path: string): Store;
  /** Absolute path of a relative one. */
  resolve?(path: string, base?: string): string;
  /** Rows and files inside an installed package. */
  packageDirectory?(name: string): string | undefined;
  spawn?(module: URL): Channel;
  /** Where people read; absent where nobody does. `columns`: the width of one line. */
  readonly terminal?: { write(text: string): void; readonly isTerminal: boolean; readonly columns: number };
  readonly memoryBytes: number;
  /** What paths of models are called in cards and adapter_config.json, where not by the path. */
  readonly labels?: Named<string>;
  /** The files of `attune:base`, the encoder that comes with Attune. */
  readonly base?: Store;
  /** The Hugging Face hub's cache on disk, as Python lays it out. */
  readonly hubCache?: HubCache;
  /** The kernels as a compiled module, where bytes may not be compiled (workerd). */
  readonly kernels?: WebAssembly.Module;
  /** Threads to compute with; absent: onnxruntime's own choice. */
  readonly threads?: number;
}

/** The hub's cache: blobs by etag, snapshots by commit, refs by branch. `repo` is org/name, or datasets/org/name. */
export interface HubCache {
  /** The token that `hf auth login` has saved, if any. */
  token?(): Promise<string | undefined>;
  /** The commit that a branch or tag stood for when it was last asked. */
  ref(repo: string, revision: string): Promise<string | undefined>;
  setRef(repo: string, revision: string, commit: string): Promise<void>;
  /** A snapshot's files. */
  snapshot(repo: string, commit: string): Store;
  /** Bytes of a blob that an earlier download left unfinished. */
  partial(repo: string, etag: string): Promise<number>;
  /** Writes to an unfinished blob from a place on, and gives where the bytes end. */
  write(repo: string, etag: string, from: number, bytes: AsyncIterable<Uint8Array>): Promise<number>;
  /** Makes a finished blob a file of a snapshot; throws AttuneError where its bytes are not those that its etag names. */
  link(repo: string, etag: string, commit: string, file: string): Promise<void>;
  /** Whether a blob is there, finished. */
  has(repo: string, etag: string): Promise<boolean>;
}

/** A two-way line to a worker. */
export interface Channel {
  send(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  receive(): AsyncIterable<unknown>;
  close(): void;
}

/** What is used of an onnxruntime module. */
export interface Ort {
  readonly InferenceSession: { create(model: Uint8Array, options?: object): Promise<OrtSession> };
  readonly Tensor: new (type: string, data: unknown, dims: readonly number[]) => OrtTensor;
}

/** An onnxruntime tensor, as handed over. */
export interface OrtTensor {
  readonly data: unknown;
  readonly dims: readonly number[];
}

/** An onnxruntime session. */
export interface OrtSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Named<OrtTensor>, fetches?: Named<OrtTensor | null>): Promise<Named<OrtTensor>>;
  release(): Promise<void>;
}

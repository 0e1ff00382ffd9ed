/**
 * Checkpoints, models, adapters, heads, losses, and the tasks that join them.
 * @module
 */
import type { Value } from "../graph/graph.ts";
import type { Json, Named, Tensor } from "../base/types.ts";
import type { GraphBuilder, HookPoints } from "./build.ts";
import type { Metric, MetricInputs } from "./events.ts";
import type { Host, Store } from "./host.ts";
import type { Plugin, PluginUse } from "./plugin.ts";
import type { Batch, Collator, Row, Rows, RunData, Tokenizer, TokenizerLoader } from "./rows.ts";
import type { SentenceModules } from "./sentence.ts";
import type { FrozenWeights, TrainedProducts } from "./storage.ts";
import type { Weights } from "./weights.ts";

/** Opens a checkpoint: `pretrained`, `random`, `attune:base`. */
export interface ModelSource extends Plugin<"model"> {
  open(host: Host): Promise<Checkpoint>;
}

/** An opened checkpoint; `model_type` of its config picks the architecture from the catalog. */
export type Checkpoint = Readonly<{
  config: Named<Json>;
  files: Store;
  weights: Weights;
  /** Of the config and every byte of the weights, read when it is first asked for. */
  fingerprint(): Promise<string>;
  /** How it is named in cards and adapter_config.json. */
  label: string;
  /** Whether tensors of other dims than the model's start anew instead of being an error. */
  ignoreMismatchedSizes?: boolean;
  /** Where tokens were added: rows that its tables have in its files, and the names of parameters that grew. */
  vocabSizeBefore?: number;
  grownParameters?: readonly string[];
  /** How the run's accelerators store weights that do not train. */
  frozen?: FrozenWeights;
  /** How they compute products over weights that train. */
  products?: TrainedProducts;
  /** What was quantized before it was saved. */
  quantization?: CheckpointQuantization;
}>;

/**
 * Weights of a checkpoint that a library has quantized. They train as they are, frozen, below adapters, and no
 * accelerator takes them; `config` and `files` are as those of the model without it.
 */
export type CheckpointQuantization = Readonly<{
  /** As messages name it: "gptq (4 bits)". */
  method: string;
  /**
   * Names of weights of linear layers that may not train; what is read of them is [out, in]. Those of GGUF files may.
   */
  weights: ReadonlySet<string>;
}>;

/** One family, written once; `read` refuses by name what it does not support. */
export interface Architecture extends Plugin<"architecture"> {
  readonly modelTypes: readonly string[];
  /** `names`: those of the checkpoint's tensors, where they are known. */
  read(config: Named<Json>, names?: readonly string[]): Backbone;
}

/** The facts of a family besides its computation. They are kept here alone: nothing else has a table of families. */
export interface FamilyFacts {
  /** `model_type` of its configs. */
  readonly modelType: string;
  /** The prefix of its classes in transformers: "ModernBert" + "ForSequenceClassification". */
  readonly classPrefix: string;
  /**
   * Classes that have another name than that rule gives, by what stands behind the prefix; "EncoderModel" is the
   * encoder alone of a model with two sides.
   */
  readonly classes?: Named<string>;
  /**
   * Modules that adapters take where none are named: PEFT's where it has any. Those that are absent have to be named.
   */
  readonly targets: AdapterTargets;
  /** How older files call tensors: what to replace in a name, and with what. */
  readonly savedNames?: readonly (readonly [pattern: RegExp, replacement: string])[];
  /** Names of parameters without weight decay, where "norm" and "bias" do not say it. */
  readonly noDecay?: RegExp;
  /** Modules that stay float32 where others are quantized, as transformers' _keep_in_fp32_modules. */
  readonly keepInFp32Modules?: readonly string[];
  /**
   * The class of linear layers of transformers' model where it is one of their own: what quantizes there passes them
   * over.
   */
  readonly linearClass?: string;
  /**
   * The objective of sentence pairs: whether the second comes next, or the order of the two. Absent: there is no head
   * for pairs.
   */
  readonly sentencePairs?: "next" | "order";
}

/** Modules by the end of their paths, for each kind of adapter. */
export type AdapterTargets = Readonly<{
  /** Projections that LoRA and its relatives adapt. */
  attention?: readonly string[];
  /** Those of AdaLoRA and of VeRA, where they are others. */
  adalora?: readonly string[];
  vera?: readonly string[];
  /** The modules whose outputs (`keysValues`) and inputs (`feedForward`) IA3 scales. */
  keysValues?: readonly string[];
  feedForward?: readonly string[];
  /** Normalization layers. */
  norms?: readonly string[];
  /** Where in a layer AdapterHub puts bottlenecks, where not in modules of their own. */
  bottleneck?: Readonly<{ attention: string; feedForward: string }>;
}>;

/** A family read with one config. */
export type Backbone = Readonly<{
  family: FamilyFacts;
  hiddenSize: number;
  numHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  vocabSize: number;
  maxPositions: number;
  /**
   * Whether positions beyond `maxPositions` can be computed, as angles can: rows go there where a length is asked for.
   */
  goesBeyond?: boolean;
  baseModelPrefix: string;
  /** Path of the word embeddings' module; words may be looked up through others that share its table. */
  wordEmbeddings: string;
  /** Paths of modules that the library's class has and never calls: what adapters have for them changes nothing. */
  idle?: readonly string[];
  /**
   * How a config says that tensors are not shared which the model would share; absent: `tie_word_embeddings: false`.
   */
  untiedConfig?: Named<Json>;
  /** Paths of the layers, in order. */
  layers: readonly string[];
  heads: Named<HeadSpec>;
  initializerRange: number;
  /**
   * The token that a decoder's inputs begin with, of a model that has that side. Sequences without inputs of their own
   * for it get theirs shifted right behind it.
   */
  decoderStartTokenId?: number;
  /**
   * Positions count from `offset`; tokens whose id is `skip` are skipped and stand at `skip` (RoBERTa). Absent: from 0.
   */
  positions?: Readonly<{ offset: number; skip?: number }>;
  /**
   * Batches with more positions than this are computed with other angles: what was kept of earlier steps does not fit.
   */
  ropeSwitchLength?: number;
  /** Where a head reads each sequence's last token, tokens with this id at its end do not count. */
  padTokenId?: number;
  /** `decoder` false: only the encoder of a model with two sides, as one of a model that has no other. */
  forward: (b: GraphBuilder, sides?: Readonly<{ decoder: boolean }>) => BackboneOutput;
}>;

/** A backbone with what a dry build found: paths of its linear layers and embeddings, names of its parameters. */
export interface InspectedBackbone extends Backbone {
  readonly linears: readonly string[];
  /** Those of the linear layers that store their weight as [in, out]. */
  readonly conv1ds: readonly string[];
  readonly embeddings: readonly string[];
  /** The factors of looked-up embedding rows, by path, where not 1. */
  readonly scales: Named<number>;
  /** Dims of its parameters, by name. */
  readonly shapes: Named<readonly number[]>;
  readonly parameters: readonly string[];
  /** Those of the embeddings that look up words. */
  readonly wordLookups: readonly string[];
  /** Tensors that modules share with others: the name each would have alone, and whose it is. */
  readonly ties: Named<string>;
  /** Those of the ties that the checkpoint does not have: it holds two tensors, with other values. */
  readonly untied?: readonly string[];
  /** Paths of layers of the model's other side, where that is not implemented. */
  readonly otherSide?: readonly string[];
}

/** The output of a backbone; its rows are the positions of the batch. */
export type BackboneOutput = Readonly<{
  /** [batch*seq, hidden]; of a model with two sides the decoder's, [batch*decoderSeq, hidden]. */
  hidden: Value;
  /** The output of the embeddings and of every layer; the last is `hidden`. */
  hiddenStates: readonly Value[];
  /** The encoder's hidden states, which the decoder reads. */
  encoder?: Value;
  /** A second stream over the same places, as XLNet's of queries. */
  query?: Value;
}>;

/** How a family builds "sequence", "token", "mlm", ...: data, so that heads know no family. */
export type HeadSpec = Readonly<{
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
  /** The name of the bias of `out` where it is shared with another module. */
  outBias?: string;
  tied?: boolean;
  /** c of c · tanh(x / c) on what comes out. */
  softcap?: number;
  /**
   * The prefix that transformers' class with this head puts before the model's names, if those with other heads do not.
   */
  parentModule?: string;
  /** Modules that train beside an adapter, where not those that the head names. */
  modulesToSave?: readonly string[];
  /** A buffer [1, classes] that is added to the outputs and does not train. */
  buffer?: string;
}>;

/** Middleware around the named seams of a model. */
export interface Adapter extends Plugin<"adapter"> {
  /** Reads what it continues from (`from`), if anything, before it is attached. */
  open?(host: Host): Promise<Adapter>;
  attach(backbone: InspectedBackbone, context: AttachContext): AttachedAdapter;
}

/** The context of an adapter besides the model: the head's modules, PEFT's task_type, the run's tokenizer. */
export type AttachContext = Readonly<{
  modules: readonly string[];
  task: string;
  tokenizer?: Tokenizer;
  /** The inputs that share a scale in the weight of a linear layer that is stored as codes; undefined: it has none. */
  blockSizeOf?: (module: string) => number | undefined;
  /** Whether the checkpoint has weights of a module. */
  isInCheckpoint?: (module: string) => boolean;
  /**
   * Where the library's class with this head has the model in a module of its own: that, and the head's modules beside
   * it.
   */
  parent?: Readonly<{ module: string; beside: readonly string[] }>;
}>;

/** Middleware per seam. */
export type Middleware = {
  readonly [S in keyof HookPoints]?: (
    b: GraphBuilder,
    call: HookPoints[S],
    next: (call: HookPoints[S]) => Value,
  ) => Value;
};

/** Work that an adapter does between optimizer steps. Its state is part of checkpoints. */
export interface StepHook {
  tensors(): Named<Tensor<Float32Array>>;
  restore(tensors: Named<Tensor<Float32Array>>): void;
  /**
   * Behind an update; `parameter` gives views that may be changed, and the gradient of that update, not yet clipped.
   */
  onStep(
    at: Readonly<{
      step: number;
      totalSteps: number;
      gradientScale: number;
      parameter(name: string): Readonly<{ value: Float32Array; gradient: Float32Array }> | undefined;
    }>,
  ): void;
}

/** An adapter that knows its backbone. */
export interface AttachedAdapter extends Middleware {
  /** Other parameters: biases, modulesToSave, all, none; the last adapter that answers decides. */
  isTrainable?(name: string): boolean | undefined;
  /** Whether a module is a copy of its own, as PEFT's modules_to_save: what it shares with others is shared no more. */
  copies?(module: string): boolean;
  /** Whether a module that shares its tensor has another's update rather than one of its own. */
  sharesUpdate?(module: string): boolean;
  /** Values to start from, where it continues a saved adapter. */
  readonly weights?: Weights;
  /** Stands in front of the names of its own parameters, where several adapters are attached. */
  readonly name?: string;
  /** A further term of the training loss, of its own parameters: a scalar, once a step. */
  penalty?(b: GraphBuilder): Value;
  /** Its work between optimizer steps, made anew for each training. */
  stepHook?(): StepHook;
  /** Places kept free in front of each sequence; positions alone are the decoder's where a model has that side. */
  readonly reservedPositions?: Readonly<{ tokens?: number; positions?: number }>;
  /** True where several sequences may not share a row. */
  readonly unshareable?: boolean;
  /** A parameter of the model with the adapter folded in, weights as [out, in]; absent: cannot be merged. */
  merge?(name: string, value: Tensor<Float32Array>, own: (name: string) => Tensor<Float32Array>): Tensor<Float32Array>;
  /** What is saved of it; absent: only a whole model can be saved, with what it trained. */
  readonly record?: AdapterRecord;
  /** What a parameter of its own is to a module; absent: of nothing that can be told. */
  roleOf?(name: string): AdapterRole | undefined;
}

/** What an adapter saves, which formats turn into files. */
export type AdapterRecord = Readonly<{
  /** The format that can hold it, and what that calls it: `{ peft: "LORA" }`. */
  formats: Named<string>;
  /** Its options, in that format's words. */
  config: Named<Json>;
  /**
   * What a parameter, its own or the model's, is called in the file; undefined: it is not in it. Loading reads the same
   * names.
   */
  key(name: string): string | undefined;
  /** Further tensors of the file, made of its parameters. */
  derived?(read: (name: string) => Promise<Tensor<Float32Array>>): Promise<Named<Tensor>>;
}>;

/** A parameter of an adapter: a factor of a module's update, or rows that stand in place of some of its table's. */
export type AdapterRole = Readonly<{ module: string; role: "factor" | "rows" }>;

/** Hidden states to named outputs: "logits", "startLogits". */
export interface Head extends Plugin<"head"> {
  /** Modules that train beside an adapter, as PEFT's modules_to_save. */
  readonly modulesToSave: readonly string[];
  /** True where several sequences may not share a row. */
  readonly unshareable?: boolean;
  /**
   * True where it reads the encoder of a model with two sides: where no head reads more, the other side is not
   * implemented.
   */
  readonly readsEncoder?: boolean;
  forward(b: GraphBuilder, states: BackboneOutput, backbone: InspectedBackbone): Named<Value>;
}

/**
 * Element losses added up. `count`: what divides the sum, from the target alone. `over`: one mean over the "step", or
 * the mean of the means of each "batch". `per`: what the target has a row for, where it is not each row of the output.
 * `weighted`: both read the weight of each of the target's rows [rows], where rows of data have weights.
 */
export interface Loss extends Plugin<"loss"> {
  readonly over: "step" | "batch";
  readonly per?: "sequence";
  readonly weighted?: boolean;
  /**
   * The target's relation to the output: a value for each "element" of it, the number of a class for each row, or one
   * value for each of its "rows". Shapes are compared before the loss is built. Absent: something else.
   */
  readonly compares?: "elements" | "classes" | "rows";
  /** Options that have a value for each class: as many as the output's last axis is long. */
  readonly perClass?: Named<readonly number[] | undefined>;
  /** Present where it waits to know how many labels of each class the training rows have: the loss that knows. */
  withClassCounts?(counts: readonly number[]): Loss;
  sum(b: GraphBuilder, output: Value, target: Value, weight?: Value): Value;
  count(target: Tensor, weight?: Tensor): number;
}

/** The task to learn, as data: subtasks whose parts are default references, which a spec may replace. */
export interface Task extends Plugin<"task"> {
  readonly subtasks: readonly Subtask[];
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
  /** The tokens that may be drawn: those at least so likely as this part of the likeliest one's probability. */
  minP?: number;
  /** The tokens that may be drawn: the most likely whose entropy together stays below this part of all. */
  topH?: number;
  /** The tokens that may be drawn: those nearest to the expected surprise that together reach this probability. */
  typicalP?: number;
  /** Tokens less likely than this are not drawn. */
  epsilonCutoff?: number;
  /** Tokens less likely than this, or than what the entropy makes of it, are not drawn. */
  etaCutoff?: number;
  /** The longest text and the shortest, with its prompt; where `maxNewTokens` or `minNewTokens` is not said. */
  maxLength?: number;
  minLength?: number;
  /** Tokens that never come, and those that never come first. */
  suppressTokens?: readonly number[];
  beginSuppressTokens?: readonly number[];
  /** Sequences of tokens that never come. */
  badWordsIds?: readonly (readonly number[])[];
  /** Biases added to the score of a token where it completes a sequence. */
  sequenceBias?: readonly (readonly [readonly number[], number])[];
  /** From so many new tokens on the end becomes likelier, by this factor to the power of those behind. */
  exponentialDecayLengthPenalty?: readonly [number, number];
  /** Above 1 tokens of the source are likelier. */
  encoderRepetitionPenalty?: number;
  /** No so many tokens on end come that stand in the source. */
  encoderNoRepeatNgramSize?: number;
  /** Whether processed scores of beams are made to probabilities again. */
  renormalizeLogits?: boolean;
  numBeams: number;
  lengthPenalty: number;
  earlyStopping: boolean | "never";
  /** 0: all may come again. */
  noRepeatNgramSize: number;
  repetitionPenalty: number;
  /** The tokens that end a text; null: the checkpoint's. */
  eosTokenId: number | readonly number[] | null;
  seed: number;
}>;

/**
 * The facts of a checkpoint that a task sees. `trained`: whether its files have weights of a head's output
 * ("sequence"); `modules`: what a folder of sentence-transformers says, to tasks that ask for it.
 */
export type TaskContext = Readonly<{
  config: Named<Json>;
  trained: (head: string) => boolean;
  modules?: SentenceModules | undefined;
}>;

/**
 * Names of classes as rows have them. `valueOf`: what of a row says its classes, as JSON; `namesOf`: the names in all
 * different values, each with the number of the first row that has it.
 */
export type LabelNames = Readonly<{
  valueOf(row: Row): Json | undefined;
  namesOf(values: readonly (readonly [row: number, value: unknown])[], classes?: Rows["classes"]): readonly string[];
}>;

/**
 * One task. `name` is "" when alone; else it prefixes metrics, head parameters and the task's own adapters.
 * `decode`: outputs as metrics read them.
 */
export interface Subtask {
  readonly name: string;
  /** The task as a checkpoint completes it: which classes there are where nobody says, and how its head has them. */
  readonly withConfig?: ((context: TaskContext) => Subtask) | undefined;
  /** Names of the classes in the order of their ids; `config` has them in the order of the head's outputs. */
  readonly labels?: readonly string[];
  /** Whether it wants to know what a folder of sentence-transformers says of embeddings. */
  readonly asksModules?: boolean;
  /** The modules that make its embeddings, written with the saved model. */
  readonly modules?: SentenceModules | undefined;
  /** Notes for the user before the run. */
  readonly notes?: readonly string[];
  /**
   * Set where nobody has named the classes, and the names that rows have would do. The task takes them as its option
   * `labels`.
   */
  readonly labelsIn?: LabelNames | undefined;
  /** The classes that a row is labelled with, by their ids: one, or one for each word. Absent: it tells no classes. */
  readonly classIds?: ((row: Row, index: number) => readonly number[]) | undefined;
  readonly collator: PluginUse<Collator>;
  readonly heads: readonly PluginUse<Head>[];
  readonly metrics: readonly PluginUse<Metric>[];
  readonly adapters?: readonly PluginUse<Adapter>[];
  /** `classes`: how many the target tells apart, which the output must have. */
  readonly losses: readonly Readonly<
    { loss: PluginUse<Loss>; output: string; target: string; weight?: number; classes?: number }
  >[];
  /** Its own data, where several tasks have theirs. */
  readonly data?: RunData;
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
  readonly evaluationOutputs?: readonly string[];
  /** Changes to the config of what is saved: id2label, problem_type. */
  readonly config?: Named<Json>;
  /** PEFT's task_type. */
  readonly taskType?: string;
  /** The suffix of transformers' class with this head: "ForMultipleChoice". Absent: given by `taskType`. */
  readonly modelClass?: string;
  /** Whose outputs become targets. */
  readonly teacher?: Teacher;
  decode(
    outputs: Named<Tensor>,
    batch: Batch,
    tokenizer: Tokenizer,
  ): { readonly [R in keyof MetricInputs]?: readonly MetricInputs[R][] };
  /** What `decode` gives of rows of different classes: what metrics are tried on before there are rows. Absent: they are not. */
  triedReadings?(): ReturnType<Subtask["decode"]>;
  /** The sample of each reading, of kinds whose readings are of places within rows and not of rows. Absent: none are. */
  placesOf?(batch: Batch): { readonly [R in keyof MetricInputs]?: Int32Array };
  /** One JSON line per row, as `attune predict` prints it. */
  predict(outputs: Named<Tensor>, batch: Batch, tokenizer: Tokenizer): readonly Named<Json>[];
  /** How rows are read that may be several samples, where they are. */
  readonly windows?: Windows;
}

/** A row of several samples: the part that each sample gives, and the row's readings and prediction from all parts. */
export interface Windows {
  part(outputs: Named<Tensor>, batch: Batch, tokenizer: Tokenizer): readonly unknown[];
  decode(parts: readonly unknown[]): { readonly [R in keyof MetricInputs]?: readonly MetricInputs[R][] };
  predict(parts: readonly unknown[]): Named<Json>;
}

/** A model whose `outputs` for each row become targets `teacher.<output>`. `cache`: the folder that keeps them; null: none; absent: the user's cache. */
export type Teacher = Readonly<{
  model: PluginUse<ModelSource>;
  tokenizer?: PluginUse<TokenizerLoader>;
  task: Subtask;
  outputs: readonly string[];
  cache?: string | null | undefined;
}>;

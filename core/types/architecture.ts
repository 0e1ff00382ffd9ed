/** Architectures: the facts of a model family, and the backbone that it builds from a config. */
import type { Value } from "../graph/graph.ts";
import type { Json, Named } from "../base/types.ts";
import type { GraphBuilder } from "./build.ts";
import type { Plugin } from "./plugin.ts";

/** A model family; `read` throws an error that names an unsupported config value. */
export interface Architecture extends Plugin<"architecture"> {
  readonly modelTypes: readonly string[];
  /** Reads a config. `names`: those of the checkpoint's tensors, if known. */
  read(config: Named<Json>, names?: readonly string[]): Backbone;
}

/** The facts of a family besides its computation. They are kept only here: no other code has a table of families. */
export interface FamilyFacts {
  /** The `model_type` of its configs. */
  readonly modelType: string;
  /** The prefix of its classes in transformers: "ModernBert" + "ForSequenceClassification". */
  readonly classPrefix: string;
  /**
   * Classes that do not follow this rule, by the part after the prefix; "EncoderModel" is the encoder alone of an
   * encoder-decoder model.
   */
  readonly classes?: Named<string>;
  /**
   * The default target modules of adapters: PEFT's, if it has any. Without a default, the user has to name modules.
   */
  readonly targets: AdapterTargets;
  /** Older names of tensors: replacements in the current name. */
  readonly savedNames?: readonly (readonly [pattern: RegExp, replacement: string])[];
  /** Names of parameters without weight decay, in addition to those with "norm" and "bias". */
  readonly noDecay?: RegExp;
  /** Modules that stay float32 when others are quantized, as in transformers' _keep_in_fp32_modules. */
  readonly keepInFp32Modules?: readonly string[];
  /**
   * The class of linear layers in transformers' model, if it is not torch's: quantization in transformers does not
   * apply to these.
   */
  readonly linearClass?: string;
  /**
   * The pretraining objective on sentence pairs: whether the second comes next, or the order of the two. Absent: there
   * is no head for pairs.
   */
  readonly sentencePairs?: "next" | "order";
}

/** Target modules by the end of their paths, for each kind of adapter. */
export type AdapterTargets = Readonly<{
  /** Projections that LoRA and its relatives adapt. */
  attention?: readonly string[];
  /** The targets of AdaLoRA and of VeRA, if different. */
  adalora?: readonly string[];
  vera?: readonly string[];
  /** The modules whose outputs (`keysValues`) and inputs (`feedForward`) IA3 scales. */
  keysValues?: readonly string[];
  feedForward?: readonly string[];
  /** Normalization layers. */
  norms?: readonly string[];
  /** Where AdapterHub puts bottlenecks in a layer. */
  bottleneck?: Readonly<{ attention: string; feedForward: string }>;
}>;

/** A family's model for one config. */
export type Backbone = Readonly<{
  family: FamilyFacts;
  hiddenSize: number;
  numHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  vocabSize: number;
  maxPositions: number;
  /**
   * Whether positions beyond `maxPositions` can be computed, as rotary ones can: then a larger `maxLength` is allowed.
   */
  extrapolates?: boolean;
  baseModelPrefix: string;
  /** The path of the word embeddings; tokens may also be looked up through other modules that share the table. */
  wordEmbeddings: string;
  /** Paths of modules that transformers' class has but never calls, so that adapters of them have no effect. */
  idle?: readonly string[];
  /**
   * Config values which say that tensors are not tied that the model would tie; absent: `tie_word_embeddings: false`.
   */
  untiedConfig?: Named<Json>;
  /** The paths of the layers, in order. */
  layers: readonly string[];
  heads: Named<HeadSpec>;
  initializerRange: number;
  /**
   * The first token of a decoder's inputs in an encoder-decoder model. Sequences without decoder inputs use
   * their own inputs for it, shifted right behind this token.
   */
  decoderStartTokenId?: number;
  /**
   * Positions count from `offset` (absent: 0); tokens with id `skip` do not count and have position `skip` (RoBERTa).
   */
  positions?: Readonly<{ offset: number; skip?: number }>;
  /**
   * Batches with more positions than this use other rotary angles, so a shorter batch's key-value cache is invalid.
   */
  ropeSwitchLength?: number;
  /** The id of tokens that do not count at the end of a sequence when a head reads the last token. */
  padTokenId?: number;
  /** Builds the forward pass. `decoder: false`: only the encoder of an encoder-decoder model. */
  forward: (b: GraphBuilder, sides?: Readonly<{ decoder: boolean }>) => BackboneOutput;
}>;

/** A backbone with the results of a dry build: paths of its linear layers and embeddings, names of its parameters. */
export interface InspectedBackbone extends Backbone {
  readonly linears: readonly string[];
  /** Paths of the linear layers that store their weight as [in, out]. */
  readonly conv1ds: readonly string[];
  readonly embeddings: readonly string[];
  /** The scales of embeddings, by path, if not 1. */
  readonly scales: Named<number>;
  /** The dims of its parameters, by name. */
  readonly shapes: Named<readonly number[]>;
  readonly parameters: readonly string[];
  /** Paths of the embeddings that look up tokens. */
  readonly wordLookups: readonly string[];
  /** Tied tensors: from the name that a tensor would have of its own to the name of the parameter that it shares. */
  readonly ties: Named<string>;
  /** Those ties that the checkpoint does not have: it holds both tensors, with different values. */
  readonly untied?: readonly string[];
  /** Paths of layers on the model's other side, if that is not implemented. */
  readonly otherSide?: readonly string[];
}

/** The output of a backbone; its rows are the positions of the batch. */
export type BackboneOutput = Readonly<{
  /** The last hidden states [batch*seq, hidden]; in an encoder-decoder model [batch*decoderSeq, hidden]. */
  hidden: Value;
  /** The outputs of the embeddings and of every layer; the last is `hidden`. */
  hiddenStates: readonly Value[];
  /** The encoder's hidden states, which the decoder reads. */
  encoder?: Value;
  /** A second stream over the same places, such as XLNet's query stream. */
  query?: Value;
}>;

/** How a family builds the heads "sequence", "token", "mlm", ..., as data, so that heads need not know families. */
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
  /** The name of the bias of `out`, if it is tied to another module's. */
  outBias?: string;
  tied?: boolean;
  /** c of c · tanh(x / c) on the output. */
  softcap?: number;
  /**
   * The prefix of the model's names in transformers' class with this head, if other heads' classes do not have it.
   */
  parentModule?: string;
  /** Modules that train in addition to an adapter, if not those that the head names. */
  modulesToSave?: readonly string[];
  /** A buffer [1, classes] that is added to the outputs and does not train. */
  buffer?: string;
}>;

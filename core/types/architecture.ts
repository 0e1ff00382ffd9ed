/** Families of models: what a family's config says, and the backbone that it builds. */
import type { Value } from "../graph/graph.ts";
import type { Json, Named } from "../base/types.ts";
import type { GraphBuilder } from "./build.ts";
import type { Plugin } from "./plugin.ts";

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

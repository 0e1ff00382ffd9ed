/**
 * From rows to batches: data sets, tokenizers, collators, and how a batch is laid out.
 * @module
 */
import type { Json, Named, Random, Tensor } from "./base.ts";
import type { Host, Store } from "./host.ts";
import type { Plugin } from "./plugins.ts";

/** One row of data. */
export type Row = Named<unknown>;

/** Behind the last row given; `inner`: those of the sources of a transform. */
export type Cursor = Readonly<{ at: number; inner?: readonly Cursor[] }>;

/** Rows; a transform is a dataset with a dataset among its options: `dedupe({ source: jsonl({ path }) })`. */
export interface Dataset extends Plugin<"data"> {
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
export interface TokenizerLoader extends Plugin<"tokenizer"> {
  open(files: Store): Promise<Tokenizer>;
}

/** Text to ids and back. Offsets are in UTF-16 units. */
export interface Tokenizer {
  readonly vocabSize: number;
  /** Files that its options make other than the checkpoint's: tokens were added. */
  readonly changed?: Named<Uint8Array>;
  /** Ids of pad, unk, cls, sep, mask, bos, eos, as far as there are any. */
  readonly specialTokenIds: Named<number>;
  readonly paddingSide: "left" | "right";
  /** Whether its models read types of tokens; where not, all are 0 unless a call asks for them. */
  readonly typeIds?: boolean;
  readonly modelMaxLength: number | undefined;
  readonly fingerprint: string;
  /** All windows: one, or more with `stride`. Throws where a stride leaves no room. */
  encode(text: string | readonly string[], options?: EncodeOptions): readonly [Encoding, ...Encoding[]];
  decode(ids: ArrayLike<number>, options?: Readonly<{ skipSpecialTokens?: boolean }>): string;
  /** A conversation as text; `addGenerationPrompt`: up to where the assistant would begin. */
  applyChatTemplate(
    messages: readonly Named<Json>[],
    options?: Readonly<{
      addGenerationPrompt?: boolean;
      /** Functions that the assistant may call, as the template takes them. */
      tools?: readonly Json[];
      /** Further variables of the template. */
      variables?: Named<Json>;
      /** Throw where a message spells a special token, which would become one. */
      refuseSpecialTokens?: boolean;
    }>,
  ): Readonly<{
    text: string;
    assistant: readonly (readonly [start: number, end: number])[];
  }>;
}

/**
 * Hugging Face's call options in camelCase. `returnOverflowingTokens`: all windows, not only the first. `offsets`: false leaves
 * offsets and wordIds empty, which is faster. `typeIds`: whether types of tokens are given, whatever models read.
 */
export type EncodeOptions = Readonly<{
  textPair?: string | readonly string[];
  maxLength?: number;
  truncation?: boolean | "longest_first" | "only_first" | "only_second" | "do_not_truncate";
  stride?: number;
  returnOverflowingTokens?: boolean;
  offsets?: boolean;
  typeIds?: boolean;
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

/** Row → samples is pure, so it is cached and runs ahead. Samples → batch is padding. */
export interface Collator extends Plugin<"collator"> {
  /** Told the checkpoint's config and the run's lengths. */
  encode(row: Row, index: number, context: CollatorContext): readonly Sample[];
  /**
   * Begins to look at all rows of a data set, for what they say together of how its columns are read; `encode` is told its
   * `reading`. A run's evaluation rows are read as its training rows are. Absent: every row stands for itself.
   */
  survey?(): RowSurvey;
  /** A sample with what is drawn for it anew in each epoch, as masks; `random` is its own. Absent: nothing is. */
  resample?(sample: Sample, random: Random, context: CollatorContext): Sample;
  /**
   * The questions of a row whose task answers with text, with reference answers. Absent: the tokens that `encode` has before
   * the first of its labels, and what these say.
   */
  questions?(row: Row, index: number, context: CollatorContext): readonly Question[];
}

/** A prompt to generate from, and its reference answer. `prompt`: as a person reads it. */
export type Question = Readonly<{ sample: Sample; prompt: string; reference: string }>;

/** A look at rows, one after the other: there may be more of them than there is memory. */
export type RowSurvey = Readonly<{ add(row: Row): void; end(): Survey }>;

/** How columns are read, and what a person should know of the rows. */
export type Survey = Readonly<{ reading?: unknown; notes?: readonly string[] }>;

/** The context of a collator: tokenizer, randomness, and facts of the model. */
export type CollatorContext = Readonly<{
  tokenizer: Tokenizer;
  random: Random;
  maxLength: number | undefined;
  /** True where labels must be there. */
  requiresLabels: boolean;
  modelType: string;
  /** The objective of sentence pairs in the model's family, if it has one. */
  sentencePairs?: "next" | "order" | undefined;
  /** The result of the collator's `survey`: how columns are read. */
  reading?: unknown;
  /** The token that the decoder's inputs begin with, of a model that has that side. */
  decoderStartTokenId?: number | undefined;
  /** The checkpoint's config. */
  config: Named<Json>;
}>;

/** The unit that batches count: mostly one sequence, n for choices; a QA row gives one sample per window. `targets`: [samples, ...]. */
export type Sample = Readonly<{
  sequences: readonly Readonly<{ length: number; decoderLength?: number; fields: Named<Field> }>[];
  targets: Named<Field>;
  /** The row this came from. */
  row: number;
  /** Data for the task's decoding, besides numbers. */
  metadata?: unknown;
  /** All of its sequences stand in one row. */
  packed?: boolean;
}>;

/**
 * Padding and packing are generic over these. `size`: values per place; `padValue`: the value of padding. `ignoreIndex`: of labels;
 * only places with another value are laid out: `<name>` [picked] and `<name>.at` [picked], their places.
 * `shift`: a label is predicted that many places before its own. `column`: values are places of the sample's first
 * sequence, and become those of its row.
 */
export type Field = Readonly<{
  axis: "token" | "decoderToken" | "pair" | "sample";
  data: Float32Array | Int32Array;
  padValue: number;
  size?: number;
  ignoreIndex?: number;
  shift?: number;
  column?: boolean;
}>;

/** The layout of a batch. `rowSharing`: short sequences share a row. */
export type BatchLayout = Readonly<{
  side: "left" | "right";
  padToMultipleOf: number;
  padToLength: number;
  rowSharing: boolean;
  positions?: Readonly<{ offset: number; skip?: number }>;
  /** `last` is the last token whose id is another one. */
  padTokenId?: number;
  /** The name of the task whose samples these are, where there are several. */
  task?: string;
  reserve: Readonly<{ tokens: number; positions: number }>;
}>;

/**
 * One micro-batch. `inputs` are the graph's; `rows`: each sample's index in the dataset; `tokenOrigins`: for each of
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
  tokenOrigins: Int32Array;
  decoder?: Readonly<{ seq: number; tokenOrigins: Int32Array; inputs: readonly string[] }>;
  /** In generation: places of each row that were computed before. */
  pastLength?: number;
  /** The collator's metadata of each sample. */
  metadata?: readonly unknown[];
  /** The name of its task, where there are several. */
  task?: string;
}>;

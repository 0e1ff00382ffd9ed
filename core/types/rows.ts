/** From rows to batches: data sets, tokenizers, collators, and how a batch is laid out. */
import type { Json, Named, Random, Tensor } from "../base/types.ts";
import type { Host, Store } from "./host.ts";
import type { Plugin, PluginUse } from "./plugin.ts";
import type { RowAction, RowColumns, SplitName, TransformReport } from "./transforms.ts";

/** One row of data. */
export type Row = Named<unknown>;

/** Behind the last row given; `inner`: those of the sources of a transform. */
export type Cursor = Readonly<{ at: number; inner?: readonly Cursor[] }>;

/** A source of rows; some have further sources among their options, as `mix` has. */
export interface Dataset extends Plugin<"data"> {
  /** Its rows, through its transforms where it has some. */
  open(host: Host): Promise<Rows>;
  /** The transforms that its rows go through, in order, and the dataset that they stand on. */
  readonly transformed?: Readonly<{ source: Dataset; transforms: readonly Transform[] }>;
}

/** Opened rows. `length` absent: a stream. `at` absent: shuffling uses a bounded buffer. */
export interface Rows {
  readonly length?: number;
  readonly fingerprint: string;
  /** Names of classes by column, where the source has them for a column of whole numbers: that of 0, of 1, ... */
  readonly classes?: Named<readonly string[]>;
  /** What a person should know of how they are read. */
  readonly notes?: readonly string[];
  /** `where`: the place that a person would look for the row at, as a file and its line. */
  read(from?: Cursor): AsyncIterable<Readonly<{ row: Row; next: Cursor; where?: string }>>;
  at?(indices: readonly number[]): Promise<readonly Row[]>;
  /** Where a person would look for a row that was had by its index. */
  where?(index: number): Promise<string | undefined>;
  /** Indices of some of the longest rows, as they are stored; absent: nobody knows without reading all. */
  readonly longest?: readonly number[];
  /** What the transforms did that the rows have gone through. */
  readonly transforms?: readonly TransformReport[];
}

/**
 * A row on its way. `index`: its place in the data set that the transforms stand on; whatever else it has goes along
 * with it.
 */
export type TransformRow = Readonly<{ row: Row; index: number; where?: string; next?: Cursor }>;

/** What a transform is told. */
export interface TransformContext {
  readonly host: Host;
  /** Of the run's seed and of the transform's place; the same for every split. */
  readonly random: Random;
  /** Which split the rows are; absent if they are none of a run's. */
  readonly split?: SplitName | undefined;
  /** The columns that the task reads; absent if no task is known, or its collator does not say. */
  readonly columns?: RowColumns | undefined;
  /** The spec's splits, each with its own transforms. */
  readonly splits: { readonly [S in SplitName]?: Dataset };
  /** The run's tokenizer. Throws AttuneError if the rows are of no run. */
  tokenizer(): Promise<Tokenizer>;
  /** Says for the report that a row was dropped, changed or added, and why: few different words, which are counted. */
  note(row: TransformRow, action: RowAction, reason: string): void;
}

/**
 * Rows to rows, streaming. `scope` says how rows may be had by index: "row": at most one of each row, which depends on
 * it and on what the survey says alone; "choice": some of the rows as they are, once or several times, in any order;
 * "whole": anything else.
 */
export interface Transform extends Plugin<"transform"> {
  readonly scope: "row" | "choice" | "whole";
  /** Whether it may stand on the rows that are trained on alone. */
  readonly trainOnly?: boolean;
  /** The splits that it makes of the rows of `data.train`; it runs before the others then. */
  readonly makes?: readonly SplitName[];
  /** Columns that it calls otherwise: new names with the old ones. */
  readonly renames?: Named<string>;
  /** What its result depends on besides options, seed, split and rows. */
  fingerprint?(context: TransformContext): Promise<string>;
  /** A look at all rows before any is given; there may be more of them than there is memory. */
  survey?(rows: AsyncIterable<TransformRow>, context: TransformContext): Promise<unknown>;
  /** The rows that come out. `surveyed`: the survey's result. May be called again, over some of the rows. */
  apply(rows: AsyncIterable<TransformRow>, context: TransformContext, surveyed?: unknown): AsyncIterable<TransformRow>;
}

/** A dataset, or a reference to one with the transforms that its rows go through, in order. */
export type DatasetUse =
  | PluginUse<Dataset>
  | Readonly<{ use: string; with?: object; transforms?: readonly PluginUse<Transform>[] }>;

/** The data of a run, or of one of its tasks. */
export type RunData = Readonly<{
  train?: DatasetUse;
  eval?: DatasetUse;
  test?: DatasetUse;
  /**
   * The share of the rows of `eval` or `test` that may stand in `train` as well; above it a run is refused. Default:
   * 0.01.
   */
  leakThreshold?: number;
}>;

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
 * Hugging Face's call options in camelCase. `returnOverflowingTokens`: all windows, not only the first. `offsets`:
 * false leaves offsets and wordIds empty, which is faster. `typeIds`: whether types of tokens are given, whatever
 * models read.
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
   * Whether every row is one sample, so that rows can be encoded as they are needed. Absent: all are encoded to be
   * counted.
   */
  readonly oneEach?: boolean;
  /**
   * Begins to look at all rows of a data set, for what they say together of how its columns are read; `encode` is told
   * its `reading`. A run's evaluation rows are read as its training rows are. Absent: every row stands for itself.
   */
  survey?(): RowSurvey;
  /** The columns that it reads; absent: nobody may guess. */
  readonly columns?: RowColumns;
  /** A sample with what is drawn for it anew in each epoch, as masks; `random` is its own. Absent: nothing is. */
  resample?(sample: Sample, random: Random, context: CollatorContext): Sample;
  /**
   * The questions of a row whose task answers with text, with reference answers. Absent: the tokens that `encode` has
   * before the first of its labels, and what these say.
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

/**
 * The unit that batches count: usually one sequence, or n for choices; a QA row becomes one sample per window.
 * `targets`: [samples, ...].
 */
export type Sample = Readonly<{
  sequences: readonly Readonly<{ length: number; decoderLength?: number; fields: Named<Field>; weight?: number }>[];
  targets: Named<Field>;
  /** The row this came from. */
  row: number;
  /** The row's weight in every loss; absent in all samples of a data set, or in none. */
  weight?: number;
  /** Data for the task's decoding, besides numbers. */
  metadata?: unknown;
  /** Columns of its row that metrics ask for. */
  columns?: Named<Json>;
  /** All of its sequences stand in one row. */
  packed?: boolean;
}>;

/**
 * Padding and packing are generic over these. `size`: values per place; `padValue`: the value of padding.
 * `ignoreIndex`: of labels; only places with another value are laid out: `<name>` [picked] and `<name>.at` [picked],
 * their places. `shift`: a label is predicted that many places before its own. `column`: values are places of the
 * sample's first sequence, and become those of its row.
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
  /** The weight of all samples together, where rows have weights; `<target>.weight` has it by the target's rows. */
  weight?: number;
  /** The collator's metadata of each sample. */
  metadata?: readonly unknown[];
  /** Columns of each sample's row that metrics ask for. */
  columns?: readonly (Named<Json> | undefined)[];
  /** The name of its task, where there are several. */
  task?: string;
}>;

/** From rows to batches: data sets, tokenizers, collators, and the layout of batches. */
import type { Json, Named, Random, Tensor } from "../base/types.ts";
import type { Host, Store } from "./host.ts";
import type { Plugin, PluginUse } from "./plugin.ts";
import type { RowAction, RowColumns, SplitName, TransformReport } from "./transforms.ts";

/** One row of data. */
export type Row = Named<unknown>;

/** A position after the last row read; `inner`: the cursors of a transform's sources. */
export type Cursor = Readonly<{ at: number; inner?: readonly Cursor[] }>;

/** A source of rows; some have further sources in their options, such as `mix`. */
export interface Dataset extends Plugin<"data"> {
  /** Opens its rows, passed through its transforms, if any. */
  open(host: Host): Promise<Rows>;
  /** The transforms that its rows go through, in order, and the data set that they apply to. */
  readonly transformed?: Readonly<{ source: Dataset; transforms: readonly Transform[] }>;
}

/** Opened rows. `length` absent: a stream. `at` absent: shuffling uses a bounded buffer. */
export interface Rows {
  readonly length?: number;
  readonly fingerprint: string;
  /** Class names of columns with whole numbers, if the source has them: the names of 0, 1, ... */
  readonly classes?: Named<readonly string[]>;
  /** Notes for the user on how the rows are read. */
  readonly notes?: readonly string[];
  /** Reads rows in order. `where`: the row's location as a user would look it up, such as a file and line. */
  read(from?: Cursor): AsyncIterable<Readonly<{ row: Row; next: Cursor; where?: string }>>;
  at?(indices: readonly number[]): Promise<readonly Row[]>;
  /** Returns the location of the row at an index, as a user would look it up. */
  where?(index: number): Promise<string | undefined>;
  /** Indices of some of the longest rows as stored; absent: unknown without reading all rows. */
  readonly longest?: readonly number[];
  /** Reports of the transforms that the rows have gone through. */
  readonly transforms?: readonly TransformReport[];
}

/**
 * A row passing through transforms. `index`: its index in the data set that these apply to; the other fields are passed
 * along with the row.
 */
export type TransformRow = Readonly<{ row: Row; index: number; where?: string; next?: Cursor }>;

/** The context of a transform. */
export interface TransformContext {
  readonly host: Host;
  /** A stream that depends on the run's seed and the transform's place; the same for every split. */
  readonly random: Random;
  /** The split of the rows; absent outside a run. */
  readonly split?: SplitName | undefined;
  /** The columns that the task reads; absent if there is no task, or its collator does not declare them. */
  readonly columns?: RowColumns | undefined;
  /** The spec's splits, each with its own transforms. */
  readonly splits: { readonly [S in SplitName]?: Dataset };
  /** Returns the run's tokenizer. Throws AttuneError outside a run. */
  tokenizer(): Promise<Tokenizer>;
  /** Reports that a row was dropped, changed or added, and why. Reasons are counted, so only few should differ. */
  note(row: TransformRow, action: RowAction, reason: string): void;
}

/**
 * A streaming transform of rows. `scope` determines access by index: "row": at most one row from each row, which
 * depends only on that row and the survey; "choice": some of the rows unchanged, once or several times, in any order;
 * "whole": anything else.
 */
export interface Transform extends Plugin<"transform"> {
  readonly scope: "row" | "choice" | "whole";
  /** Whether it is only allowed on training rows. */
  readonly trainOnly?: boolean;
  /** The splits that it makes from the rows of `data.train`, in which case it runs before other transforms. */
  readonly makes?: readonly SplitName[];
  /** Columns that it renames: from new to old names. */
  readonly renames?: Named<string>;
  /** Returns what its result depends on in addition to options, seed, split and rows. */
  fingerprint?(context: TransformContext): Promise<string>;
  /** Surveys all rows before any is output; they may not fit in memory. */
  survey?(rows: AsyncIterable<TransformRow>, context: TransformContext): Promise<unknown>;
  /** Returns the transformed rows. `surveyed`: the survey's result. May be called again, on some of the rows. */
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
  /** Files that differ from the checkpoint's because its options add tokens. */
  readonly changed?: Named<Uint8Array>;
  /** The ids of pad, unk, cls, sep, mask, bos, eos, as far as they exist. */
  readonly specialTokenIds: Named<number>;
  readonly paddingSide: "left" | "right";
  /** Whether its models read token types; if not, all are 0 unless a call asks for them. */
  readonly typeIds?: boolean;
  readonly modelMaxLength: number | undefined;
  readonly fingerprint: string;
  /** Encodes a text to all of its windows: one, or several with `stride`. Throws if a stride leaves no room. */
  encode(text: string | readonly string[], options?: EncodeOptions): readonly [Encoding, ...Encoding[]];
  decode(ids: ArrayLike<number>, options?: Readonly<{ skipSpecialTokens?: boolean }>): string;
  /** Formats a conversation as text; `addGenerationPrompt`: ends with the start of an assistant's turn. */
  applyChatTemplate(
    messages: readonly Named<Json>[],
    options?: Readonly<{
      addGenerationPrompt?: boolean;
      /** Functions that the assistant may call, as the template takes them. */
      tools?: readonly Json[];
      /** Further variables of the template. */
      variables?: Named<Json>;
      /** Whether to throw if the text of a message spells a special token. */
      refuseSpecialTokens?: boolean;
    }>,
  ): Readonly<{
    text: string;
    assistant: readonly (readonly [start: number, end: number])[];
  }>;
}

/**
 * Hugging Face's call options in camelCase. `returnOverflowingTokens`: all windows, not only the first. `offsets`:
 * false leaves offsets and wordIds empty, which is faster. `typeIds`: whether to set token types, whatever models read.
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

/** An encoded window: one value per token (offsets: two); wordIds and sequenceIds are -1 at special tokens. */
export type Encoding = Readonly<{
  ids: Int32Array;
  typeIds: Int32Array;
  specialTokensMask: Int32Array;
  offsets: Int32Array;
  wordIds: Int32Array;
  sequenceIds: Int32Array;
}>;

/** A collator. Encoding a row to samples is pure, so it can be cached and run ahead; batching only pads samples. */
export interface Collator extends Plugin<"collator"> {
  /** Encodes a row; the context has the checkpoint's config and the run's lengths. */
  encode(row: Row, index: number, context: CollatorContext): readonly Sample[];
  /**
   * Whether every row becomes exactly one sample, so that rows can be encoded on demand. Absent: all rows are encoded
   * first, to count samples.
   */
  readonly oneEach?: boolean;
  /**
   * Starts a survey of all rows of a data set, to determine how its columns are read; `encode` receives the `reading`.
   * Evaluation rows are read like the training rows. Absent: each row is read on its own.
   */
  survey?(): RowSurvey;
  /** The columns that it reads; absent: unknown. */
  readonly columns?: RowColumns;
  /** Returns a sample with its randomness, such as masks, drawn anew for each epoch. Absent: samples are not random. */
  resample?(sample: Sample, random: Random, context: CollatorContext): Sample;
  /**
   * Returns the questions of a row with reference answers, for tasks that answer with text. Absent: the tokens before
   * the first label, with the labels' text as the answer.
   */
  questions?(row: Row, index: number, context: CollatorContext): readonly Question[];
}

/** A prompt to generate from, and its reference answer. `prompt`: as readable text. */
export type Question = Readonly<{ sample: Sample; prompt: string; reference: string }>;

/** A survey of rows one by one, since they may not fit in memory. */
export type RowSurvey = Readonly<{ add(row: Row): void; end(): Survey }>;

/** The result of a survey: how columns are read, and notes for the user. */
export type Survey = Readonly<{ reading?: unknown; notes?: readonly string[] }>;

/** The context of a collator: tokenizer, randomness, and facts of the model. */
export type CollatorContext = Readonly<{
  tokenizer: Tokenizer;
  random: Random;
  maxLength: number | undefined;
  /** Whether rows must have labels. */
  requiresLabels: boolean;
  modelType: string;
  /** The objective of sentence pairs in the model's family, if it has one. */
  sentencePairs?: "next" | "order" | undefined;
  /** The result of the collator's `survey`: how columns are read. */
  reading?: unknown;
  /** The first token of a decoder's inputs, in an encoder-decoder model. */
  decoderStartTokenId?: number | undefined;
  /** The checkpoint's config. */
  config: Named<Json>;
}>;

/**
 * A sample, the unit of batches: usually one sequence, or n for choices; a QA row becomes one sample per window.
 * `targets`: [samples, ...].
 */
export type Sample = Readonly<{
  sequences: readonly Readonly<{ length: number; decoderLength?: number; fields: Named<Field>; weight?: number }>[];
  targets: Named<Field>;
  /** The row this came from. */
  row: number;
  /** The row's weight in every loss; absent in all samples of a data set, or in none. */
  weight?: number;
  /** Further data for the task's decoding. */
  metadata?: unknown;
  /** The columns of its row that metrics ask for. */
  columns?: Named<Json>;
  /** Whether all of its sequences share one row. */
  packed?: boolean;
}>;

/**
 * A field, over which padding and packing are generic. `size`: values per place; `padValue`: the value of padding.
 * `ignoreIndex`: for labels, of which only places with other values are kept: as `<name>` [picked], with their places
 * in `<name>.at` [picked]. `shift`: a label is predicted this many places before its own. `column`: values are places
 * in the sample's first sequence, which become places in its row.
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
  /** The id of padding tokens: a sequence's `last` token is the last one with another id. */
  padTokenId?: number;
  /** The name of the samples' task, if there are several. */
  task?: string;
  reserve: Readonly<{ tokens: number; positions: number }>;
}>;

/**
 * One micro-batch. `inputs`: of the graph; `rows`: each sample's index in the data set; `tokenOrigins`: for each of the
 * batch * seq places, its sequence in the batch (-1: padding) and its index there, on which random masks depend.
 * `decoder`: the same for the decoder's side, and the names of that side's inputs. The input `members`
 * [samples, members]: the sequences of each sample (-1: none).
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
  /** In generation: the number of cached places in each row. */
  pastLength?: number;
  /** The total weight of all samples, if rows have weights; the input `<target>.weight` has it by row of the target. */
  weight?: number;
  /** The collator's metadata of each sample. */
  metadata?: readonly unknown[];
  /** The columns of each sample's row that metrics ask for. */
  columns?: readonly (Named<Json> | undefined)[];
  /** The name of its task, if there are several. */
  task?: string;
}>;

/** Where a run happens: stores, queues, and the runtime it asks for files, time and sessions. */
import type { Json, Named } from "../base/types.ts";
import type { Plugin } from "./plugin.ts";

/** Opens a store. */
export interface StoreOpener extends Plugin<"store"> {
  open(host: Host): Promise<Store>;
}

/**
 * Named bytes. Each write changes `revision`; `if: null` means "only if absent"; a lost race is an answer, not an
 * error.
 */
export interface Store {
  get(
    key: string,
    range?: Readonly<{ offset: number; length: number }>,
  ): Promise<(StoredObject & { readonly bytes: Uint8Array }) | undefined>;
  /** Several ranges of one version of an object, in order, where that is less work than getting one after the other. */
  getRanges?(
    key: string,
    ranges: readonly Readonly<{ offset: number; length: number }>[],
  ): Promise<(StoredObject & { readonly pieces: readonly Uint8Array[] }) | undefined>;
  put(
    key: string,
    bytes: Uint8Array | AsyncIterable<Uint8Array>,
    options?: { readonly if?: string | null },
  ): Promise<StoredObject | "conflict">;
  delete(key: string, options?: { readonly if?: string }): Promise<"done" | "conflict">;
  list(prefix: string): AsyncIterable<StoredObject>;
  /** The keys alone, where that is less work; some may be of what has just gone. */
  keys?(prefix: string): AsyncIterable<string>;
  /**
   * Adds to the end of an object, which it makes where there is none; absent if an object can only be replaced. What
   * was appended may be lost with the machine until one append has asked for `sync`.
   */
  append?(key: string, bytes: Uint8Array, options?: { readonly sync?: boolean }): Promise<StoredObject>;
  /**
   * Makes what is there last, whoever has put it: until its own `put` is done, what others see of it may go with the
   * power.
   */
  sync?(key: string): Promise<void>;
  /** A checked real path that ONNX Runtime may map; absent if there are no files. */
  locate?(key: string): Promise<string>;
  /**
   * Sees to it that nobody else writes a run into this store until what it gives is called. Throws AttuneError if
   * another does, and where nothing can be written. Absent where only this process can write.
   */
  claim?(): Promise<() => Promise<void>>;
  /** Lets go of a connection, where there is one. */
  close?(): Promise<void>;
}

/** An object in a store, without its bytes. `size`, in bytes, is the whole object's, also for ranges. */
export type StoredObject = Readonly<{ key: string; size: number; revision: string }>;

/**
 * Tells runners which jobs to look at. A hint only: what a job is, its record says, and records rebuild a queue that is
 * lost.
 */
export interface Queue extends Plugin<"queue"> {
  open(host: Host): Promise<OpenQueue>;
}

/** An opened queue: at least once, in no order that matters. */
export interface OpenQueue {
  /** Adds a job's id; the same one may be there several times. */
  push(id: string): Promise<void>;
  /**
   * Takes an id, which others do not see for some seconds; it comes back then unless it was done. `accepts` says which
   * ids are worth taking; a queue that cannot look at them before gives any.
   */
  pull(seconds: number, accepts?: (id: string) => boolean): Promise<Delivery | undefined>;
  /** The ids that it has, whoever has taken them; absent where it cannot tell. */
  ids?(): Promise<ReadonlySet<string>>;
  close(): Promise<void>;
}

/**
 * An id from a queue. `ack` removes it, `nack` gives it to others at once; neither has an effect if it has already come
 * back.
 */
export interface Delivery {
  readonly id: string;
  ack(): Promise<void>;
  nack(): Promise<void>;
}

/** An estimate of a run's memory and work, part by part. `tokens`: those of all its steps, without padding. */
export type Plan = Readonly<{
  fits: boolean;
  steps: number;
  tokens: number;
  bytes: Named<number>;
  /** Of the frozen weights: how many are stored how, and in how many bytes. */
  frozen: readonly FrozenPart[];
  /** Of those that train: over how many products are computed otherwise than in float32, and how. */
  products?: readonly ProductPart[];
  flops: number;
  seconds: number;
  /** Where the work lies: the model's parts forward, all of them backward, evaluations. */
  work: Named<Readonly<{ flops: number; seconds: number }>>;
  trainableParameters: number;
  totalParameters: number;
}>;

/**
 * What of a spec would be otherwise, as it would stand there, and what the run then takes. `fits`: whether that is
 * little enough; where it is not, nothing takes less.
 */
export type Fit = Readonly<{ fits: boolean; bytes: number; spec: Named<Json> }>;

/** Frozen weights that are stored alike. `storage`: a type of numbers, or the label of a format. */
export type FrozenPart = Readonly<{ storage: string; weights: number; bytes: number; encoded: boolean }>;

/**
 * Weights that train, products over which are computed alike. `bytes`: of what the backward pass keeps of them besides.
 */
export type ProductPart = Readonly<{ format: string; weights: number; bytes: number }>;

/** Where a run writes, and how it is stopped. */
export type TrainOptions = Readonly<{
  /** Where everything that a run leaves is written; absent: nothing is. */
  output?: Store;
  /** Goes on from the newest checkpoint of the output. */
  resume?: boolean;
  /** Writes probe.json: ids, logits and metrics to compare with other programs. */
  probe?: boolean;
  /** Ends the run between two steps, with a checkpoint. */
  signal?: AbortSignal;
}>;

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
  /** The names in a folder; undefined if there is no such folder. */
  names?(folder: string): readonly string[] | undefined;
  /** A file or folder without symbolic links on the way to it; undefined if there is none such. */
  realPath?(path: string): string | undefined;
  /** Absolute path of a relative one. */
  resolve?(path: string, base?: string): string;
  /** Rows and files inside an installed package. */
  packageDirectory?(name: string): string | undefined;
  /** The result of a run, opened from its folder, to answer rows. */
  openSaved?(folder: string): Promise<SavedModel>;
  /** Where people read; absent if nobody does. `columns`: the width of one line. */
  readonly terminal?: { write(text: string): void; readonly isTerminal: boolean; readonly columns: number };
  readonly memoryBytes: number;
  /** Names to write in cards and adapter_config.json in place of models' paths. */
  readonly displayNames?: Named<string>;
  /** The files of `attune:base`, the encoder that comes with Attune. */
  readonly base?: Store;
  /** The Hugging Face hub's cache on disk, as Python lays it out. */
  readonly hubCache?: HubCache;
  /** What may be made again from other files, kept for later runs of any process; absent: nothing is kept. */
  readonly cache?: Store;
  /** The kernels as a compiled module, where bytes may not be compiled (workerd). */
  readonly kernels?: WebAssembly.Module;
  /** Threads to compute with; absent: onnxruntime's own choice. */
  readonly threads?: number;
  /** Gives memory back at once that nobody uses any more; absent if the runtime has no way. */
  collectGarbage?(): void;
  /**
   * Starts a thread that encodes rows beside the training step; absent if there are none. Throws where it cannot
   * have a part.
   */
  startEncoder?(job: EncoderJob): Promise<EncoderThread>;
}

/**
 * What a thread makes samples with: parts as a spec names them, the packages that they may be of, and plain facts of
 * the run.
 */
export type EncoderJob = Readonly<{
  model: Json;
  tokenizer: Json;
  collator: Json;
  plugins: readonly string[];
  facts: unknown;
}>;

/**
 * Samples of one row on their way between threads: their heads, in which fields have the place of their numbers, and
 * these.
 */
export type PackedSamples = Readonly<{ heads: readonly unknown[]; buffer: ArrayBuffer }>;

/** A thread that encodes rows. */
export interface EncoderThread {
  /** The fingerprint of the tokenizer that it has. */
  readonly tokenizer: string;
  /** The samples of each row, which have these numbers; undefined where it failed at one, or has ended. */
  encode(rows: readonly Named<unknown>[], numbers: readonly number[]): Promise<readonly PackedSamples[] | undefined>;
  /** Ends it; what it was asked for and has not answered is answered with undefined. */
  close(): Promise<void>;
}

/** A trained model that answers rows. `columns`: the text columns that it reads. */
export interface SavedModel {
  readonly task: string;
  readonly columns: readonly string[];
  readonly maskToken: string | undefined;
  predict(rows: readonly Named<unknown>[]): Promise<readonly Named<Json>[]>;
  close(): Promise<void>;
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
  /**
   * Makes a finished blob a file of a snapshot; throws AttuneError where its bytes are not those that its etag names.
   */
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

/** The part of an onnxruntime module that is used. */
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
  run(feeds: Named<OrtTensor>, fetches?: Named<OrtTensor | null>): Promise<Named<OrtTensor>>;
  release(): Promise<void>;
}

/** ONNX Runtime's execution providers, as far as capability tables exist. */
export type Provider = "cpu" | "wasm" | "webgpu" | "cuda";

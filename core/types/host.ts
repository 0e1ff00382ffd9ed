/** The host of a run: stores, queues, and the runtime that provides files, time and sessions. */
import type { Json, Named } from "../base/types.ts";
import type { Plugin } from "./plugin.ts";

/** Opens a store. */
export interface StoreOpener extends Plugin<"store"> {
  open(host: Host): Promise<Store>;
}

/**
 * A store of named objects. Each write changes `revision`; `if: null` means "only if absent"; a lost race is a result,
 * not an error.
 */
export interface Store {
  get(
    key: string,
    range?: Readonly<{ offset: number; length: number }>,
  ): Promise<(StoredObject & { readonly bytes: Uint8Array }) | undefined>;
  /** Reads several ranges of one version of an object, in order; present if cheaper than reading them one by one. */
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
  /** Lists only the keys, if that is cheaper, perhaps with some that have just been removed. */
  keys?(prefix: string): AsyncIterable<string>;
  /**
   * Appends to an object, which is created if needed; absent if objects can only be replaced. Appended bytes may be
   * lost in a crash of the machine until an append with `sync`.
   */
  append?(key: string, bytes: Uint8Array, options?: { readonly sync?: boolean }): Promise<StoredObject>;
  /**
   * Makes an object durable, whoever has written it: until the writer's `put` has returned, the object may be visible
   * but lost in a power failure.
   */
  sync?(key: string): Promise<void>;
  /** Returns a checked real path that ONNX Runtime may map; absent if the store has no files. */
  locate?(key: string): Promise<string>;
  /**
   * Locks the store for a run until the returned function is called. Throws AttuneError if another run has locked it,
   * or nothing can be written. Absent if only this process can write.
   */
  claim?(): Promise<() => Promise<void>>;
  /** Closes the connection, if there is one. */
  close?(): Promise<void>;
}

/** An object in a store, without its bytes. `size`, in bytes, is the whole object's, also for ranges. */
export type StoredObject = Readonly<{ key: string; size: number; revision: string }>;

/**
 * Tells runners which jobs to look at. This is only a hint: the state of a job is in its record, from which a lost
 * queue is rebuilt.
 */
export interface Queue extends Plugin<"queue"> {
  open(host: Host): Promise<OpenQueue>;
}

/** An opened queue, which delivers each id at least once, in any order. */
export interface OpenQueue {
  /** Adds a job's id, which may be in the queue several times. */
  push(id: string): Promise<void>;
  /**
   * Takes an id and hides it from others for some seconds, after which it returns unless acknowledged. `accepts`
   * selects ids; a queue that cannot inspect them in advance returns any.
   */
  pull(seconds: number, accepts?: (id: string) => boolean): Promise<Delivery | undefined>;
  /** Returns all ids in the queue, taken or not; absent if it cannot list them. */
  ids?(): Promise<ReadonlySet<string>>;
  close(): Promise<void>;
}

/**
 * An id from a queue. `ack` removes it, `nack` makes it available to others at once; neither has an effect if it has
 * already returned to the queue.
 */
export interface Delivery {
  readonly id: string;
  ack(): Promise<void>;
  nack(): Promise<void>;
}

/** An estimate of a run's memory and work, part by part. `tokens`: of all its steps, without padding. */
export type Plan = Readonly<{
  fits: boolean;
  steps: number;
  tokens: number;
  bytes: Named<number>;
  /** The frozen weights: numbers and bytes by kind of storage. */
  frozen: readonly FrozenPart[];
  /** The trained weights whose products are not computed in float32, by format. */
  products?: readonly ProductPart[];
  flops: number;
  seconds: number;
  /** The work by part: the model's parts forward, all of them backward, evaluations. */
  work: Named<Readonly<{ flops: number; seconds: number }>>;
  trainableParameters: number;
  totalParameters: number;
}>;

/**
 * A proposed change of a spec to fit in memory, and the bytes that the run then takes. `fits`: whether that is within
 * the limit; if not, no other change takes less.
 */
export type Fit = Readonly<{ fits: boolean; bytes: number; spec: Named<Json> }>;

/** Frozen weights with the same storage. `storage`: a dtype, or the label of a format. */
export type FrozenPart = Readonly<{ storage: string; weights: number; bytes: number; encoded: boolean }>;

/**
 * Trained weights with the same product format. `bytes`: of the tensors that are also kept for the backward pass.
 */
export type ProductPart = Readonly<{ format: string; weights: number; bytes: number }>;

/** Options of a run: where it writes, and how it is stopped. */
export type TrainOptions = Readonly<{
  /** The store that the run writes its results to; absent: nothing is written. */
  output?: Store;
  /** Whether to resume from the newest checkpoint in `output`. */
  resume?: boolean;
  /** Whether to write probe.json: ids, logits and metrics to compare with other programs. */
  probe?: boolean;
  /** Stops the run between two steps, with a checkpoint. */
  signal?: AbortSignal;
}>;

/** Everything that a run needs of the machine. `lib`: an imported onnxruntime module. */
export interface Host {
  readonly runtime: "node" | "bun" | "deno" | "workerd" | "browser";
  readonly provider: Provider;
  readonly lib?: Ort;
  readonly env: Named<string | undefined>;
  readonly fetch: typeof fetch;
  readonly clock: { now(): number; sleep(ms: number, signal?: AbortSignal): Promise<void> };
  /** Returns a directory as a store; paths are absolute or relative to `base`. */
  directory?(path: string): Store;
  /** Returns the names in a folder; undefined if there is no such folder. */
  names?(folder: string): readonly string[] | undefined;
  /** Returns a path with symbolic links resolved; undefined if it does not exist. */
  realPath?(path: string): string | undefined;
  /** Returns the absolute path of a relative one. */
  resolve?(path: string, base?: string): string;
  /** Returns the directory of an installed package, for rows and files inside it. */
  packageDirectory?(name: string): string | undefined;
  /** Opens the result of a run from its folder, for prediction. */
  openSaved?(folder: string): Promise<SavedModel>;
  /** The terminal; absent if there is none. `columns`: the width of a line. */
  readonly terminal?: { write(text: string): void; readonly isTerminal: boolean; readonly columns: number };
  readonly memoryBytes: number;
  /** Names to write in model cards and adapter_config.json in place of models' paths. */
  readonly displayNames?: Named<string>;
  /** The files of `attune:base`, the encoder shipped with Attune. */
  readonly base?: Store;
  /** The Hugging Face hub's cache on disk, as Python lays it out. */
  readonly hubCache?: HubCache;
  /** A cache of reproducible data, shared by all processes; absent: nothing is cached. */
  readonly cache?: Store;
  /** The compiled kernel module, for runtimes that cannot compile bytes (workerd). */
  readonly kernels?: WebAssembly.Module;
  /** The number of threads; absent: onnxruntime's default. */
  readonly threads?: number;
  /** Runs the garbage collector; absent if the runtime does not expose it. */
  collectGarbage?(): void;
  /**
   * Starts a thread that encodes rows in parallel with training steps; absent if there are no threads. Throws if a part
   * of the job cannot be passed to it.
   */
  startEncoder?(job: EncoderJob): Promise<EncoderThread>;
}

/**
 * The job of an encoder thread: parts as references, the packages that these may come from, and plain facts of the run.
 */
export type EncoderJob = Readonly<{
  model: Json;
  tokenizer: Json;
  collator: Json;
  plugins: readonly string[];
  facts: unknown;
}>;

/**
 * The samples of one row, packed for transfer between threads: their structure, with offsets in place of numbers, and a
 * buffer with the numbers.
 */
export type PackedSamples = Readonly<{ heads: readonly unknown[]; buffer: ArrayBuffer }>;

/** A thread that encodes rows. */
export interface EncoderThread {
  /** The fingerprint of its tokenizer. */
  readonly tokenizer: string;
  /** Returns the samples of each of some rows with these numbers; undefined if one failed or the thread has ended. */
  encode(rows: readonly Named<unknown>[], numbers: readonly number[]): Promise<readonly PackedSamples[] | undefined>;
  /** Ends the thread; pending calls return undefined. */
  close(): Promise<void>;
}

/** A trained model for prediction. `columns`: the text columns that it reads. */
export interface SavedModel {
  readonly task: string;
  readonly columns: readonly string[];
  readonly maskToken: string | undefined;
  predict(rows: readonly Named<unknown>[]): Promise<readonly Named<Json>[]>;
  close(): Promise<void>;
}

/** The hub's cache: blobs by etag, snapshots by commit, refs by branch. `repo` is org/name, or datasets/org/name. */
export interface HubCache {
  /** Returns the token saved by `hf auth login`, if any. */
  token?(): Promise<string | undefined>;
  /** Returns the commit of a branch or tag when it was last looked up. */
  ref(repo: string, revision: string): Promise<string | undefined>;
  setRef(repo: string, revision: string, commit: string): Promise<void>;
  /** Returns a snapshot's files. */
  snapshot(repo: string, commit: string): Store;
  /** Returns how many bytes of a blob an unfinished download has left. */
  partial(repo: string, etag: string): Promise<number>;
  /** Writes to an unfinished blob from an offset on, and returns the offset of its end. */
  write(repo: string, etag: string, from: number, bytes: AsyncIterable<Uint8Array>): Promise<number>;
  /**
   * Makes a finished blob a file of a snapshot. Throws AttuneError if its bytes do not match its etag.
   */
  link(repo: string, etag: string, commit: string, file: string): Promise<void>;
  /** Whether a finished blob exists. */
  has(repo: string, etag: string): Promise<boolean>;
}

/** A bidirectional message channel to a worker. */
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

/** An onnxruntime tensor. */
export interface OrtTensor {
  readonly data: unknown;
  readonly dims: readonly number[];
}

/** An onnxruntime session. */
export interface OrtSession {
  run(feeds: Named<OrtTensor>, fetches?: Named<OrtTensor | null>): Promise<Named<OrtTensor>>;
  release(): Promise<void>;
}

/** Those execution providers of ONNX Runtime that have capability tables. */
export type Provider = "cpu" | "wasm" | "webgpu" | "cuda";

/** The common part of all plugins, and the description of their options. */
import type { Named } from "../base/types.ts";

/** The name of a kind. */
export type Kind =
  | "model"
  | "architecture"
  | "tokenizer"
  | "data"
  | "transform"
  | "collator"
  | "head"
  | "loss"
  | "task"
  | "adapter"
  | "optimizer"
  | "schedule"
  | "regularizer"
  | "accelerator"
  | "metric"
  | "callback"
  | "logger"
  | "store"
  | "exporter"
  | "search"
  | "pruner"
  | "queue"
  | "trainer";

/** The fields of every plugin: enough to write it into a run spec and to find it again. */
export interface Plugin<K extends Kind = Kind> {
  readonly kind: K;
  readonly name: string;
  readonly options: object;
  /** The roles of its options, as its schema declares them. */
  readonly roles?: Named<Role>;
}

/** A plugin, or a reference to one. */
export type PluginUse<P extends Plugin> = P | Readonly<{ use: string; with?: object }> | string;

/** A Standard Schema, as valibot's schemas are. */
export interface Schema<In = unknown, Out = unknown> {
  readonly "~standard": Readonly<{
    types?: Readonly<{ input: In; output: Out }> | undefined;
    validate: (value: unknown) => Result<Out> | Promise<unknown>;
  }>;
}

/** A value, or the issues of the input. */
export type Result<T> = Readonly<{ value: T; issues?: undefined }> | Readonly<{ issues: readonly Issue[] }>;

/** One problem of an input, and its path. */
export type Issue = Readonly<{
  message: string;
  path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}>;

/**
 * The role of an option: what it refers to, for code that moves specs to other places.
 * - path: relative to the spec's file; with `hub` also a name on the hub or shipped with Attune. Jobs may only contain
 *   paths that a runner can fetch.
 * - file-name: a name within the run's output or the model's folder, never resolved.
 * - cache: a folder outside of the run's output that is written to; not allowed in jobs.
 * - address: a network address; not allowed in jobs.
 * - secret: a text or `{ env: "NAME" }`; a text is never written to a run's files, and jobs may contain neither.
 * - plugin: a plugin of a kind, or a list of such plugins.
 */
export type Role =
  | Readonly<{ role: "path"; hub?: boolean }>
  | Readonly<{ role: "file-name" | "cache" | "address" | "secret" | "column" | "labels" | "pattern" }>
  | Readonly<{ role: "plugin"; kind: Kind }>;

/** A text, or the environment variable that holds it. */
export type Secret = string | Readonly<{ env: string }>;

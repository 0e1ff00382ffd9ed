/**
 * The contracts: one interface per kind of component that fine-tuning is made of. Types only.
 *
 * Five ideas carry them. Counts come from the host: a loss is a sum, what divides it is counted on the labels.
 * Every batch is packed: a row holds one or more sequences, padding is the case of one. One parameter map, several
 * programs. JSON and objects are one run: where a plugin may stand, `{ use, with }` may stand. Wide methods, narrow
 * authors: authors annotate their narrow types, no casts.
 * @module
 */
export type { DType, Json, Named, Random, Tensor } from "./base/types.ts";
export type * from "./types/plugin.ts";
export type * from "./types/plugins.ts";
export type * from "./types/training_arguments.ts";
export type * from "./types/typed_spec.ts";
export type * from "./types/build.ts";
export type * from "./types/checkpoint.ts";
export type * from "./types/architecture.ts";
export type * from "./types/adapter.ts";
export type * from "./types/head.ts";
export type * from "./types/loss.ts";
export type * from "./types/task.ts";
export type * from "./types/generation.ts";
export type * from "./types/weights.ts";
export type * from "./types/rows.ts";
export type * from "./types/transforms.ts";
export type * from "./types/training.ts";
export type * from "./types/storage.ts";
export type * from "./types/events.ts";
export type * from "./types/host.ts";
export type * from "./types/exporter.ts";
export type * from "./types/search.ts";

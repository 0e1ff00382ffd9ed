/**
 * The contracts: one interface per kind of component of fine-tuning. Types only.
 *
 * Five ideas underlie them. Counts come from the host: a loss is a sum, and its divisor is counted on the labels.
 * Every batch is packed: a row has one or more sequences; padding is the case of one. Several programs share one
 * parameter map. JSON and objects describe the same run: wherever a plugin is accepted, so is `{ use, with }`. Methods
 * have wide types, but authors annotate their own narrow types without casts.
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

/** The places of plugins in a run spec. */
import type { Json, Kind } from "../types.ts";

/** A spec's key for plugins: their kind, whether there may be several, and the default. */
export type SpecPart = Readonly<{ kind: Kind; several?: boolean; fallback?: Json }>;

/** The places of a run spec that hold plugins, by path. */
export const specParts: Readonly<Record<string, SpecPart>> = {
  model: { kind: "model" },
  tokenizer: { kind: "tokenizer", fallback: "hf" },
  task: { kind: "task" },
  "data.train": { kind: "data" },
  "data.eval": { kind: "data" },
  "data.test": { kind: "data" },
  collator: { kind: "collator" },
  head: { kind: "head" },
  loss: { kind: "loss" },
  adapter: { kind: "adapter", several: true, fallback: [] },
  optimizer: { kind: "optimizer", fallback: "adamw" },
  schedule: { kind: "schedule", fallback: "linear" },
  regularizers: { kind: "regularizer", several: true, fallback: [] },
  accelerators: { kind: "accelerator", several: true, fallback: [] },
  metrics: { kind: "metric", several: true },
  callbacks: { kind: "callback", several: true, fallback: [] },
  loggers: { kind: "logger", several: true, fallback: [] },
  exporters: { kind: "exporter", several: true, fallback: [] },
  search: { kind: "search" },
};

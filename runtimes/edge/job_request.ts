/**
 * A fine-tuning request as a run spec.
 * @module
 */
import * as v from "valibot";
import type { Json, Named } from "../../core/types.ts";
import { failed } from "./answers.ts";
import { hyperparametersOf } from "./job_shapes.ts";

const auto = <T>(schema: v.GenericSchema<T>): v.GenericSchema<T | "auto" | undefined> =>
  v.optional(v.union([v.literal("auto"), schema]));
const hyperparameters = v.strictObject({
  n_epochs: auto(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000))),
  batch_size: auto(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(4096))),
  learning_rate_multiplier: auto(v.pipe(v.number(), v.gtValue(0))),
});
const file = v.pipe(v.string(), v.regex(/^file-[\w-]{1,64}$/, "a file's id is expected"));

/** What `POST /v1/fine_tuning/jobs` takes. */
export const jobRequestSchema: v.GenericSchema<unknown, JobRequest> = v.strictObject({
  model: v.pipe(v.string(), v.minLength(1), v.maxLength(200)),
  training_file: file,
  validation_file: v.nullish(file),
  suffix: v.nullish(v.pipe(v.string(), v.regex(/^[\w.-]{1,64}$/, "up to 64 letters, digits, dots and dashes"))),
  seed: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 53 - 1))),
  metadata: v.nullish(v.record(v.pipe(v.string(), v.maxLength(64)), v.pipe(v.string(), v.maxLength(512)))),
  integrations: v.nullish(v.pipe(v.array(v.unknown()), v.maxLength(0, "integrations are not supported"))),
  method: v.nullish(v.strictObject({
    type: v.literal("supervised", "only supervised fine-tuning is supported"),
    supervised: v.optional(v.strictObject({ hyperparameters: v.optional(hyperparameters) })),
  })),
  hyperparameters: v.nullish(hyperparameters),
  attune: v.nullish(v.record(v.string(), v.unknown())),
}) as v.GenericSchema<unknown, JobRequest>;

/** A checked request. */
export type JobRequest =
  & Readonly<{
    model: string;
    training_file: string;
    validation_file?: string | null;
    suffix?: string | null;
    seed?: number | null;
    metadata?: Named<string> | null;
    attune?: Named<Json> | null;
  }>
  & Named<Json>;

/** Parts of a run spec that a request may say; the others are the server's. */
const parts: ReadonlySet<string> = new Set([
  "tokenizer",
  "task",
  "collator",
  "head",
  "loss",
  "adapter",
  "optimizer",
  "schedule",
  "regularizers",
  "accelerators",
  "metrics",
  "callbacks",
  "training",
]);

/** Options that reach files: never from outside. */
const reaching: ReadonlySet<string> = new Set(["path", "from", "cache", "source", "teacher", "data", "url"]);

/** Rates that a multiplier multiplies, where the request names none. */
const RATES = { adapter: 2e-4, full: 2e-5 };

/** The run spec; data and model are names that a runner resolves. Throws what a route throws. */
export function specOf(request: JobRequest): Named<Json> {
  const own = request.attune ?? {};
  for (const [key, value] of Object.entries(own)) {
    if (!parts.has(key)) {
      throw failed(400, "invalid_value", `attune.${key}: a request may say ${[...parts].join(", ")}`, `attune.${key}`);
    }
    refusePaths(value, `attune.${key}`);
  }
  const asked = hyperparametersOf(request);
  const given = (own.training ?? {}) as Named<Json>;
  const adapter = own.adapter ?? { use: "lora", with: { r: 8 } };
  const full = Array.isArray(adapter) && adapter.length === 0;
  const rate = typeof given.learningRate === "number" ? given.learningRate : full ? RATES.full : RATES.adapter;
  const multiplier = typeof asked.learning_rate_multiplier === "number" ? asked.learning_rate_multiplier : 1;
  const rows = (id: string): Json => ({ use: "jsonl", with: { path: id } });
  return {
    version: 1,
    name: "job",
    task: "causal-lm",
    adapter,
    ...own,
    model: { use: "pretrained", with: { path: request.model } },
    data: {
      train: rows(request.training_file),
      ...(request.validation_file ? { eval: rows(request.validation_file) } : {}),
    },
    training: {
      saveSteps: 100,
      saveTotalLimit: 2,
      ...given,
      ...(typeof asked.n_epochs === "number" ? { numTrainEpochs: asked.n_epochs } : {}),
      ...(typeof asked.batch_size === "number" ? { perDeviceTrainBatchSize: asked.batch_size } : {}),
      ...(typeof request.seed === "number" ? { seed: request.seed } : {}),
      learningRate: rate * multiplier,
    },
  };
}

/** Every plugin that a resolved spec names, where each is `{ use, with }`. */
export function pluginsOf(value: Json): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => pluginsOf(item));
  if (typeof value !== "object" || value === null) return [];
  const { use } = value as Named<Json>;
  return [...typeof use === "string" ? [use] : [], ...Object.values(value).flatMap((item) => pluginsOf(item))];
}

/** Throws what a route throws where options name files, hosts or other models. */
export function refusePaths(value: Json, path: string): void {
  if (typeof value !== "object" || value === null) return;
  for (const [key, own] of Object.entries(value)) {
    if (reaching.has(key)) {
      throw failed(400, "invalid_value", `${path}.${key}: a request may not name it`, `${path}.${key}`);
    }
    refusePaths(own, `${path}.${key}`);
  }
}

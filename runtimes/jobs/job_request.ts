/** Conversion of a fine-tuning request to a run spec. */
import * as v from "valibot";
import type { Json, Named } from "../../core/types.ts";
import { httpError } from "../http/responses.ts";
import { hyperparametersOf } from "../http/shapes.ts";

const auto = <T>(schema: v.GenericSchema<T>): v.GenericSchema<T | "auto" | undefined> =>
  v.optional(v.union([v.literal("auto"), schema]));
const hyperparameters = v.strictObject({
  n_epochs: auto(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(1000))),
  batch_size: auto(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(4096))),
  learning_rate_multiplier: auto(v.pipe(v.number(), v.gtValue(0))),
});
const file = v.pipe(v.string(), v.regex(/^file-[\w-]{1,64}$/, "a file's id is expected"));

/** The body of `POST /v1/fine_tuning/jobs`. */
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

/** Parts of a run spec that only the server may set. */
const serverFields: ReadonlySet<string> = new Set(["store", "trainer", "search", "plugins"]);

/** Base learning rates for the multiplier, if the request sets no learning rate. */
const RATES = { adapter: 2e-4, full: 2e-5 };

/** The start of a job: the first row of its file, and the adapter that it continues, with that adapter's base. */
export type JobStart = Readonly<
  { row?: Named<Json> | undefined; adapter?: Readonly<{ use: string; base: string }> | undefined }
>;

/**
 * Returns the run spec; its files and models are names to be resolved later. Throws the error to respond with.
 */
export function toJobSpec(request: JobRequest, start: JobStart = {}): Named<Json> {
  const own = request.attune ?? {};
  for (const key of Object.keys(own)) {
    if (serverFields.has(key)) {
      throw httpError(400, "invalid_value", `attune.${key}: a job may not set it`, `attune.${key}`);
    }
  }
  const { n_epochs, batch_size, learning_rate_multiplier } = hyperparametersOf(request);
  const given = (own.training ?? {}) as Named<Json>;
  const adapter = start.adapter ? goingOn(request, start.adapter.use) : own.adapter ?? { use: "lora", with: { r: 8 } };
  const full = Array.isArray(adapter) && adapter.length === 0;
  const rate = typeof given.learningRate === "number" ? given.learningRate : full ? RATES.full : RATES.adapter;
  const { adapter: _, data: _data, ...others } = own;
  const data = dataOf(request);
  return {
    version: 1,
    name: "job",
    // As in OpenAI's supervised method, a job over conversations learns the assistant's messages.
    task: start.row && "messages" in start.row ? { use: "causal-lm", with: { lossOn: "assistant" } } : "causal-lm",
    adapter,
    ...(data ? { data } : {}),
    ...others,
    model: modelOf(request, start.adapter?.base),
    training: {
      saveSteps: 100,
      saveTotalLimit: 2,
      ...given,
      ...(typeof n_epochs === "number" ? { numTrainEpochs: n_epochs } : {}),
      ...(typeof batch_size === "number" ? { perDeviceTrainBatchSize: batch_size } : {}),
      ...(typeof request.seed === "number" ? { seed: request.seed } : {}),
      learningRate: rate * (typeof learning_rate_multiplier === "number" ? learning_rate_multiplier : 1),
    },
  };
}

const isObject = (value: Json): value is Named<Json> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Returns the request's files as data, with the transforms and rows that its `attune.data` adds; undefined if the
 * job's tasks refer to the training file themselves.
 */
function dataOf(request: JobRequest): Json | undefined {
  const { attune, training_file, validation_file } = request;
  const own = attune?.data as Named<Json> | undefined;
  const isPlaced = (id: string): boolean => JSON.stringify(attune ?? {}).includes(JSON.stringify(id));
  if (own === undefined && isPlaced(training_file)) return undefined;
  const files = { train: training_file, eval: validation_file };
  const parts = Object.entries(files).flatMap(([split, id]): [string, Json][] => {
    const given = own?.[split];
    if (!id || (given === undefined && isPlaced(id))) return [];
    const rows = { use: "jsonl", with: { path: id } };
    if (given === undefined) return [[split, rows]];
    if (isObject(given) && given.use === undefined) return [[split, { ...rows, ...given }]];
    if (isPlaced(id)) return [[split, given]];
    const param = `attune.data.${split}`;
    const field = split === "train" ? "training_file" : "validation_file";
    throw httpError(400, "invalid_value", `${param}: ${field} names these rows already, and is not read there`, param);
  });
  return { ...own, ...Object.fromEntries(parts) };
}

/** Returns the adapter of a job that continues training an earlier job's adapter. */
function goingOn({ model, attune }: JobRequest, use: string): Json {
  const given = attune?.adapter;
  const part = (typeof given === "string" ? { use: given } : given ?? { use }) as Named<Json>;
  if (Array.isArray(given) || part.use !== use) {
    const allowed = `attune.adapter: ${model} is an adapter of ${use}, which the job continues`;
    throw httpError(400, "invalid_value", allowed, "attune.adapter");
  }
  return { use, with: { ...(part.with as Named<Json> | undefined), from: model } };
}

/** Returns the model in OpenAI's field, with the options that the request adds. */
function modelOf({ model, attune }: JobRequest, base = model): Json {
  const own = attune?.model ?? "pretrained";
  const part = (typeof own === "string" ? { use: own } : own) as Named<Json>;
  if (part.use !== "pretrained") return part;
  const options = (part.with ?? {}) as Named<Json>;
  if (options.path !== undefined && options.path !== model) {
    throw httpError(
      400,
      "invalid_value",
      "attune.model.with.path: the model is already named by `model`",
      "attune.model.with.path",
    );
  }
  return { ...part, with: { ...options, path: base } };
}

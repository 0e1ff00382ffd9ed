/**
 * `training`: the TrainingArguments of Hugging Face that belong to the loop, in camelCase, and hints for the others.
 */
import { AttuneError, badValue, unknownName, unsupported } from "../base/errors.ts";
import { BYTE_COUNT, byteCount, byteCountSchema } from "../base/byte_count.ts";
import { most } from "../base/most.ts";
import type { Json, Named, TrainingArguments } from "../types.ts";

/** The allowed values of an argument: in words, as a predicate, and as JSON Schema for editors. */
type Check = Readonly<{ allowed: string; accepts: (value: unknown) => boolean; schema: Named<Json> }>;
type Field<T> = Readonly<{ default: T } & Check>;

const number = (allowed: string, schema: Named<Json>, accepts: (x: number) => boolean): Check => ({
  allowed,
  schema,
  accepts: (x) => typeof x === "number" && Number.isFinite(x) && accepts(x),
});
const wholeNumber = (least: number, largest = Number.MAX_SAFE_INTEGER): Check =>
  number(
    `a whole number from ${least}${largest < Number.MAX_SAFE_INTEGER ? ` to ${largest}` : ""}`,
    { type: "integer", minimum: least, maximum: largest },
    (x) => Number.isSafeInteger(x) && x >= least && x <= largest,
  );
const atLeast = (least: number): Check =>
  number(`a number from ${least}`, { type: "number", minimum: least }, (x) => x >= least);
const flag: Check = {
  allowed: "true or false",
  accepts: (x) => typeof x === "boolean",
  schema: { type: "boolean" },
};
const oneOf = (...names: string[]): Check => ({
  allowed: `one of ${names.map((n) => `"${n}"`).join(", ")}`,
  accepts: (x) => names.includes(x as string),
  schema: { enum: names },
});
const orNull = (check: Check): Check => ({
  allowed: `${check.allowed}, or null`,
  accepts: (x) => x === null || check.accepts(x),
  schema: { anyOf: [check.schema, { type: "null" }] },
});
/** A count of steps, or below 1 a ratio of all of them. */
const steps = number(
  "a whole number from 1, or a ratio below 1",
  {
    anyOf: [wholeNumber(1).schema, { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1 }],
  },
  (x) => x > 0 && (x < 1 || Number.isSafeInteger(x)),
);

const fields: { readonly [K in keyof TrainingArguments]: Field<TrainingArguments[K]> } = {
  learningRate: { default: 5e-5, ...atLeast(0) },
  numTrainEpochs: { default: 3, ...number("a number above 0", { type: "number", exclusiveMinimum: 0 }, (x) => x > 0) },
  maxSteps: {
    default: -1,
    ...number(
      "a whole number from 1, or -1 for none",
      { anyOf: [wholeNumber(1).schema, { const: -1 }] },
      (x) => Number.isSafeInteger(x) && (x > 0 || x === -1),
    ),
  },
  perDeviceTrainBatchSize: { default: 8, ...wholeNumber(1, most.batch) },
  perDeviceEvalBatchSize: { default: 8, ...wholeNumber(1, most.batch) },
  gradientAccumulationSteps: { default: 1, ...wholeNumber(1) },
  maxGradNorm: { default: 1, ...atLeast(0) },
  maxLength: { default: null, ...orNull(wholeNumber(1, most.tokens)) },
  padding: { default: "longest", ...oneOf("longest", "max_length") },
  padToMultipleOf: { default: null, ...orNull(wholeNumber(1, most.tokens)) },
  labelSmoothingFactor: {
    default: 0,
    ...number(
      "a number from 0 to below 1",
      { type: "number", minimum: 0, exclusiveMaximum: 1 },
      (x) => x >= 0 && x < 1,
    ),
  },
  seed: { default: 42, ...wholeNumber(0) },
  dataSeed: { default: null, ...orNull(wholeNumber(0)) },
  trainSamplingStrategy: { default: "random", ...oneOf("random", "sequential", "group_by_length") },
  dataloaderDropLast: { default: false, ...flag },
  rowSharing: { default: true, ...flag },
  gradientCheckpointing: { default: false, ...flag },
  fp16: { default: false, ...flag },
  bf16: { default: false, ...flag },
  memory: {
    default: "auto",
    allowed: `"auto", or ${BYTE_COUNT}`,
    accepts: (x) => x === "auto" || byteCount(x) !== undefined,
    schema: { anyOf: [{ const: "auto" }, byteCountSchema] },
  },
  loggingStrategy: { default: "steps", ...oneOf("no", "steps", "epoch") },
  loggingSteps: { default: 500, ...steps },
  loggingFirstStep: { default: false, ...flag },
  evalStrategy: { default: "no", ...oneOf("no", "steps", "epoch") },
  evalSteps: { default: null, ...orNull(steps) },
  evalDelay: { default: 0, ...atLeast(0) },
  evalOnStart: { default: false, ...flag },
  saveStrategy: { default: "steps", ...oneOf("no", "steps", "epoch", "best") },
  saveSteps: { default: 500, ...steps },
  saveTotalLimit: { default: null, ...orNull(wholeNumber(1)) },
  loadBestModelAtEnd: { default: false, ...flag },
  metricForBestModel: {
    default: null,
    ...orNull({ allowed: "a metric's name", accepts: (x) => typeof x === "string", schema: { type: "string" } }),
  },
  greaterIsBetter: { default: null, ...orNull(flag) },
};

/** Returns the JSON Schema of each argument, with its default. */
export function trainingSchemas(): Named<Named<Json>> {
  return Object.fromEntries(Object.entries(fields).map(([name, f]) => [name, { ...f.schema, default: f.default }]));
}

/** TrainingArguments that belong elsewhere in a run spec. */
const elsewhere: Readonly<Record<string, string>> = {
  optim: 'optimizer (as { "use": "adamw" })',
  optimArgs: "optimizer.with",
  weightDecay: "optimizer.with.weightDecay",
  adamBeta1: "optimizer.with.beta1",
  adamBeta2: "optimizer.with.beta2",
  adamEpsilon: "optimizer.with.epsilon",
  lrSchedulerType: 'schedule (as { "use": "cosine" })',
  lrSchedulerKwargs: "schedule.with",
  warmupSteps: "schedule.with.warmupSteps",
  warmupRatio: "schedule.with.warmupSteps (a number below 1 is a ratio)",
  reportTo: "loggers",
  loggingDir: 'loggers (as { "use": "tensorboard", "with": ... })',
  runName: "name",
  outputDir: "the option --output",
  overwriteOutputDir: "the option --output with a new directory, or --resume",
  resumeFromCheckpoint: "the option --resume",
  groupByLength: 'training.trainSamplingStrategy ("group_by_length")',
  evaluationStrategy: "training.evalStrategy",
  maxSeqLength: "training.maxLength",
  perGpuTrainBatchSize: "training.perDeviceTrainBatchSize",
  perGpuEvalBatchSize: "training.perDeviceEvalBatchSize",
  batchSize: "training.perDeviceTrainBatchSize",
  epochs: "training.numTrainEpochs",
  lr: "training.learningRate",
  neftuneNoiseAlpha: 'regularizers (as { "use": "neftune", "with": { "noiseAlpha": 5 } })',
  activationCheckpointing: "training.gradientCheckpointing",
  packing: "task.with.packing",
  halfPrecisionBackend: 'accelerators (as "fp16")',
  fp16Backend: 'accelerators (as "fp16")',
  fp16OptLevel: 'accelerators (as "fp16")',
  earlyStoppingPatience: 'callbacks (as { "use": "early-stopping", "with": { "earlyStoppingPatience": 3 } })',
};

/** Further ones, which are accepted here if they are off. */
const elsewhereWhereOn: Readonly<Record<string, string>> = {
  fp16FullEval: 'accelerators (as "fp16"): evaluations compute as training does',
  bf16FullEval: 'accelerators (as "bf16"): evaluations compute as training does',
};

/** All other TrainingArguments, which are not implemented, and accepted only if off (false, null, 0). */
const notBuilt: readonly string[] = [
  "tf32",
  "torchCompile",
  "useLigerKernel",
  "autoFindBatchSize",
  "averageTokensAcrossDevices",
  "dataloaderNumWorkers",
  "dataloaderPrefetchFactor",
  "torchEmptyCacheSteps",
  "evalAccumulationSteps",
  "predictionLossOnly",
  "saveOnlyModel",
  "ignoreDataSkip",
  "fullDeterminism",
  "includeNumInputTokensSeen",
  "hubModelId",
  "hubStrategy",
  "hubToken",
  "useCpu",
  "enableJitCheckpoint",
  "optimTargetModules",
  "activationCheckpointingKwargs",
  "gradientCheckpointingKwargs",
  "torchCompileBackend",
  "torchCompileMode",
  "ligerKernelConfig",
  "useCache",
  "logOnEachNode",
  "loggingNanInfFilter",
  "logLevel",
  "logLevelReplica",
  "disableTqdm",
  "project",
  "trackioSpaceId",
  "trackioBucketId",
  "trackioStaticSpaceId",
  "evalDoConcatBatches",
  "evalUseGatherObject",
  "includeForMetrics",
  "batchEvalMetrics",
  "saveOnEachNode",
  "pushToHub",
  "hubPrivateRepo",
  "hubAlwaysPush",
  "hubRevision",
  "restoreCallbackStatesFromCheckpoint",
  "acceleratorConfig",
  "parallelismConfig",
  "dataloaderPinMemory",
  "dataloaderPersistentWorkers",
  "dataloaderMultiprocessingContext",
  "dataloaderInOrder",
  "removeUnusedColumns",
  "labelNames",
  "lengthColumnName",
  "ddpFindUnusedParameters",
  "ddpBucketCapMb",
  "ddpBroadcastBuffers",
  "ddpStaticGraph",
  "ddpBackend",
  "ddpTimeout",
  "fsdp",
  "fsdpConfig",
  "deepspeed",
  "debug",
  "skipMemoryMetrics",
  "localRank",
];

/** Returns the errors for an argument that does not belong to the loop, in Python's spelling or in camelCase. */
function notHere(name: string, value: unknown): readonly AttuneError[] {
  const path = `training.${name}`;
  const known = name.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  const off = value === false || value === null || value === 0;
  const place = (Object.hasOwn(elsewhere, known) ? elsewhere[known] : undefined) ??
    (!off && Object.hasOwn(elsewhereWhereOn, known) ? elsewhereWhereOn[known] : undefined);
  if (place !== undefined) {
    const details = { code: "MISPLACED", plugin: "spec", path, found: value, allowed: [place] };
    return [new AttuneError(`${path}: this belongs in ${place}`, details)];
  }
  if (notBuilt.includes(known) || Object.hasOwn(elsewhereWhereOn, known)) {
    return off ? [] : [unsupported("spec", path, value, "it is not implemented yet")];
  }
  return [unknownName("spec", path, "training argument", name, Object.keys(fields))];
}

/** Reads training arguments: returns them with every default filled in, and all errors. */
export function readTrainingArguments(
  input: unknown,
): Readonly<{ training: TrainingArguments; issues: readonly AttuneError[] }> {
  const issues: AttuneError[] = [];
  const values: Record<string, unknown> = Object.fromEntries(
    Object.entries(fields).map(([name, f]) => [name, f.default]),
  );
  if (input !== undefined && (typeof input !== "object" || input === null || Array.isArray(input))) {
    issues.push(badValue("spec", "training", input, "an object"));
  } else {
    for (const [name, value] of Object.entries(input ?? {})) {
      const field = Object.hasOwn(fields, name) ? fields[name as keyof TrainingArguments] : undefined;
      if (!field) issues.push(...notHere(name, value));
      else if (field.accepts(value)) values[name] = value;
      else issues.push(badValue("spec", `training.${name}`, value, field.allowed));
    }
  }
  // Every field was filled from a table of the same type.
  return { training: values as TrainingArguments, issues };
}

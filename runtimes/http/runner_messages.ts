/** Messages of runners and their checks: numbers are finite, steps are within the job, files are plain paths. */
import * as v from "valibot";
import { pathParts } from "../../core/jobs/names.ts";
import type { JobRecord } from "../../core/jobs/record.ts";
import { httpError } from "./responses.ts";

const token = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, "the token of the lease"));
/** Whole numbers that are represented exactly. */
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const number = v.pipe(v.number(), v.finite());
/** JSON cannot express NaN, so `null` represents it. */
const measured = v.nullable(number);
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(200));
const path = v.pipe(v.string(), v.check((text) => pathParts(text) !== undefined, "a plain relative path"));
const MOST_FILES = 1000;
const metrics = v.pipe(
  v.record(name, measured),
  v.check((all) => Object.keys(all).length <= 1000, "at most 1000 metrics"),
);
/** How long a response may be delayed, in seconds. */
const waitSeconds = v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(25)), 0);

/** A request for a job. */
export const leaseSchema = v.strictObject({
  runner: v.pipe(v.string(), v.regex(/^[\w.:-]{1,100}$/, "a name of letters, digits, dots and dashes")),
  capabilities: v.strictObject({
    providers: v.pipe(v.array(name), v.maxLength(100)),
    memoryBytes: count,
    /** The plugins that the runner may load; absent: all. */
    plugins: v.optional(v.pipe(v.array(name), v.maxLength(1000))),
  }),
  waitSeconds,
});

/** A heartbeat. */
export const heartbeatSchema = v.strictObject({ token, step: count, trainedTokens: count, waitSeconds });

/** The longest message of an event. */
const MOST_MESSAGE = 10_000;

const at = { step: count, epoch: v.optional(measured) };
const event = v.variant("type", [
  v.looseObject({
    ...at,
    type: v.literal("step"),
    loss: measured,
    learningRate: v.optional(measured),
    gradNorm: v.optional(measured),
  }),
  v.looseObject({ ...at, type: v.literal("evaluate"), metrics }),
  v.looseObject({
    ...at,
    type: v.literal("start"),
    totalSteps: count,
    trainableParameters: count,
    totalParameters: count,
  }),
  v.looseObject({ ...at, type: v.literal("warning"), message: v.pipe(v.string(), v.maxLength(MOST_MESSAGE)) }),
  v.looseObject({
    ...at,
    type: v.picklist(["peak", "drift", "checkpoint", "data", "examples", "samples", "progress", "end"]),
  }),
]);

/** An event that a runner reports. */
export type ReportedEvent = v.InferOutput<typeof event>;

/** A report of events. */
export const eventsSchema = v.strictObject({
  token,
  from: v.pipe(count, v.minValue(1)),
  totalSteps: v.optional(count),
  events: v.pipe(v.array(event), v.maxLength(5000)),
});

/** A request to register uploaded files as a checkpoint. */
export const checkpointSchema = v.strictObject({
  token,
  step: count,
  folder: v.pipe(
    v.string(),
    v.check(
      (text) => text.endsWith("/") && pathParts(text.slice(0, -1)) !== undefined,
      "the plain path of a folder, with /",
    ),
  ),
  files: v.pipe(v.array(path), v.minLength(1), v.maxLength(MOST_FILES)),
  metrics: v.optional(metrics, {}),
});

/** A request to finish a job. */
export const commitSchema = v.strictObject({
  token,
  files: v.pipe(v.array(v.strictObject({ path, bytes: count })), v.minLength(1), v.maxLength(MOST_FILES)),
  metrics: v.optional(metrics, {}),
});

/** A request to return a job. */
export const releaseSchema = v.variant("reason", [
  v.strictObject({ token, reason: v.picklist(["cancelled", "paused", "shutdown"]) }),
  v.strictObject({
    token,
    reason: v.literal("failed"),
    retry: v.boolean(),
    error: v.strictObject({
      code: v.pipe(v.string(), v.maxLength(100)),
      message: v.pipe(v.string(), v.maxLength(4000)),
      param: v.nullable(v.pipe(v.string(), v.maxLength(500))),
    }),
  }),
]);

/** Throws the error to respond with if a step is beyond the last one of a job. */
export function checkStep({ totalSteps }: JobRecord, step: number, param: string): void {
  if (totalSteps === undefined || step <= totalSteps) return;
  throw httpError(400, "invalid_value", `${param}: the job has ${totalSteps} steps, not ${step}`, param);
}

/**
 * Decides whether a run may resume from a checkpoint: it must be the same run on the same data. Only settings that do
 * not affect steps, and the run's length, may change.
 */
import { refused, show } from "../../base/errors.ts";
import { countSteps } from "../../loop/steps.ts";
import type { Catalog, Json, Named, Role, Schedule, TrainingArguments } from "../../types.ts";
import type { CheckpointFiles } from "./files.ts";
import { mapRoles } from "../../spec/roles.ts";

/** Spec keys of parts that observe a run or name its data and outputs: they may change between attempts. */
const watching: ReadonlySet<string> = new Set(["name", "data", "metrics", "loggers", "exporters", "search"]);

/** Roles of options that are locations: they may change, since fingerprints identify the contents. */
const placing: ReadonlySet<Role["role"]> = new Set(["path", "file-name", "cache", "address", "secret"]);

/** Training arguments that only affect logging, evaluation batches, saving, and the run's length: they may change. */
const free: ReadonlySet<string> = new Set([
  "numTrainEpochs",
  "maxSteps",
  "perDeviceEvalBatchSize",
  "loggingStrategy",
  "loggingSteps",
  "loggingFirstStep",
  "saveStrategy",
  "saveSteps",
  "saveTotalLimit",
]);

/** Training arguments of when to evaluate: they must stay if there are callbacks, whose decisions affect steps. */
const rhythm: ReadonlySet<string> = new Set(["evalStrategy", "evalSteps", "evalDelay", "evalOnStart"]);

/** Returns the part of a resolved spec that a checkpoint keeps: training arguments and parts that must not change. */
export function specToKeep({ training = {}, ...parts }: Named<Json>, catalog: Catalog): Named<Json> {
  const lasting = Object.entries(parts).filter(([key]) => !watching.has(key));
  const judged = mapRoles(
    Object.fromEntries(lasting),
    catalog,
    (value, { role }) => (placing.has(role) && value !== null ? undefined : value),
  );
  return { ...judged, ...(judged.task === undefined ? {} : { task: ofTasks(judged.task) }), training };
}

/** Returns a multi-task spec without the data and the observing parts of each task. */
function ofTasks(task: Json): Json {
  const { with: options, ...rest } = task as Named<Json>;
  const { tasks, ...others } = (options ?? {}) as Named<Json>;
  if (typeof tasks !== "object" || tasks === null) return task;
  const subtasks = Object.entries(tasks as Named<Named<Json>>).map(([name, one]) => [
    name,
    Object.fromEntries(Object.entries(one).filter(([key]) => !watching.has(key))),
  ]);
  return { ...rest, with: { ...others, tasks: Object.fromEntries(subtasks) } };
}

/** Returns the part of a spec that must be the same to resume. */
function resumableSpec(spec: Named<Json>, catalog: Catalog): Named<Json> {
  const { training, ...parts } = specToKeep(spec, catalog);
  const judged = Array.isArray(parts.callbacks) && parts.callbacks.length > 0;
  const trainingArguments = Object.entries((training ?? {}) as Named<Json>)
    .filter(([key]) => !free.has(key) && (judged || !rhythm.has(key)));
  return { ...parts, training: Object.fromEntries(trainingArguments) };
}

/** Throws AttuneError (REFUSED) that lists every difference between a checkpoint's run and this one. */
export function assertSameRun(
  name: string,
  saved: CheckpointFiles,
  spec: Named<Json>,
  fingerprints: Named<string>,
  catalog: Catalog,
): void {
  const lines = changedContent(saved.fingerprints, fingerprints);
  const before = resumableSpec(saved.spec as Named<Json>, catalog);
  for (const { path, was, is } of differences(before, resumableSpec(spec, catalog))) {
    lines.push(`  ${path}: was ${show(was)}, now ${show(is)}`);
  }
  if (lines.length === 0) return;
  throw refused("resume", `Checkpoint ${name} belongs to another run:\n${lines.join("\n")}`);
}

/** Throws AttuneError (REFUSED) if the fingerprints in a spec written by a run differ from the current ones. */
export function checkContent(expected: Named<string> | undefined, fingerprints: Named<string>): void {
  const lines = expected === undefined ? [] : changedContent(expected, fingerprints);
  if (lines.length === 0) return;
  const what = "The spec was written by a run with other content (remove its `fingerprints` to accept any)";
  throw refused("spec", `${what}:\n${lines.join("\n")}`);
}

function changedContent(was: Named<string>, is: Named<string>): string[] {
  return [...new Set([...Object.keys(was), ...Object.keys(is)])].flatMap((what) =>
    was[what] === is[what] ? [] : [`  ${what}: its fingerprint was ${was[what] ?? "none"}, now ${is[what] ?? "none"}`]
  );
}

/**
 * Returns a warning if the run's length differs from that at the checkpoint, and whether learning rates change with it.
 * Throws AttuneError (REFUSED) if the run would have fewer steps than it has already made.
 */
export function changedLength(
  saved: CheckpointFiles,
  training: TrainingArguments,
  batches: number,
  schedule: Schedule,
): string | undefined {
  const { step } = saved.state;
  const planned = (saved.spec as Named<Json>).training as Partial<TrainingArguments>;
  const now = countSteps(batches, training).total;
  if (now < step) {
    throw refused("resume", `The run has already made ${step} steps, so it cannot continue as a run of ${now}`);
  }
  const before = countSteps(batches, { ...training, ...planned }).total;
  if (before === now) return undefined;
  const rate = (at: number, total: number): number => schedule.factor(at, total, training.learningRate);
  const follows = Array.from({ length: Math.min(now, Math.max(before, step + 1)) - step }, (_, i) => step + i)
    .some((at) => rate(at, now) !== rate(at, before));
  const length = `The run now has ${now} steps, and had ${before}`;
  if (!follows) return length;
  return `${length}: the schedule "${schedule.name}" follows the new length from step ${step + 1} on`;
}

/** Returns every path at which two JSON values differ. */
export function differences(
  was: Json | undefined,
  is: Json | undefined,
  path = "",
): { path: string; was: unknown; is: unknown }[] {
  const isTree = (value: Json | undefined): value is Named<Json> => typeof value === "object" && value !== null;
  if (!isTree(was) || !isTree(is) || Array.isArray(was) !== Array.isArray(is)) {
    return Object.is(was, is) ? [] : [{ path, was, is }];
  }
  const keys = new Set([...Object.keys(was), ...Object.keys(is)]);
  return [...keys].flatMap((key) => differences(was[key], is[key], path === "" ? key : `${path}.${key}`));
}

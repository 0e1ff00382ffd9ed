/**
 * Whether a run may go on from a checkpoint: only as the same run on the same data. What touches no step may change, and how
 * long it is.
 */
import { refused, show } from "../../base/errors.ts";
import { countSteps } from "../../loop/steps.ts";
import type { Catalog, Json, Named, Role, Schedule, TrainingArguments } from "../../types.ts";
import type { CheckpointFiles } from "./files.ts";
import { mapRoles } from "../../spec/roles.ts";

/** Parts that watch a run or place its results: they may change between attempts. */
const watching: ReadonlySet<string> = new Set(["name", "data", "metrics", "loggers", "exporters", "search"]);

/** Roles of options that say where something lies, and not what it is: contents have fingerprints. */
const placing: ReadonlySet<Role["role"]> = new Set(["path", "file-name", "cache", "address", "secret"]);

/** Training arguments that only say when something is logged, measured or saved, and how long the run is. */
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

/** Those that say when there is an evaluation: where callbacks judge them, steps follow from it. */
const rhythm: ReadonlySet<string> = new Set(["evalStrategy", "evalSteps", "evalDelay", "evalOnStart"]);

/** What a checkpoint keeps of a resolved spec: its training arguments, and the parts that must stay. */
export function specToKeep({ training = {}, ...parts }: Named<Json>, catalog: Catalog): Named<Json> {
  const lasting = Object.entries(parts).filter(([key]) => !watching.has(key));
  const judged = mapRoles(
    Object.fromEntries(lasting),
    catalog,
    (value, { role }) => (placing.has(role) && value !== null ? undefined : value),
  );
  return { ...judged, ...(judged.task === undefined ? {} : { task: ofTasks(judged.task) }), training };
}

/** Several tasks without what of each is data or watches it. */
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

/** What of that must stay the same. */
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

/** Throws AttuneError (REFUSED) if a spec that a run has written names other content than what is there now. */
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
 * What there is to say where a run is of another length than when its checkpoint was saved: the rates that follow from its
 * length. Throws AttuneError (REFUSED) if it would be shorter than what has been done.
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

/** Every place where two values differ. */
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

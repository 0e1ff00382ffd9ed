/** The start of a run: from a checkpoint, or from the weights of its model. */
import type { Engine } from "../../engine/engine.ts";
import type { Drift, Json, Named, Run, TrainingEvent } from "../../types.ts";
import type { TaskRows } from "../rows/task_rows.ts";
import { beginFresh } from "./begin.ts";
import type { CheckpointFiles } from "../checkpoints/files.ts";
import type { Checkpoints } from "../checkpoints/checkpoints.ts";
import { fingerprintsOf } from "./fingerprints.ts";
import { assertSameRun, changedLength } from "../checkpoints/resume.ts";

/** Options of restoring a run. */
export type RestoreOptions = Readonly<{
  run: Run;
  tasks: readonly TaskRows[];
  engine: Engine;
  checkpoints: Checkpoints;
  /** The parts of the spec that must be the same. */
  spec: Named<Json>;
  /** Micro-batches of an epoch. */
  perEpoch: number;
  /** Resets the logs to their positions at the checkpoint. */
  logs: Readonly<{ resume(marks: Named<Json>): void }>;
}>;

/** The checkpoint that a run resumes from, if any, and the drift that quantizing the base causes. */
export type Restored = Readonly<{ name?: string | undefined; saved?: CheckpointFiles; drift: Drift | undefined }>;

/**
 * Restores the newest intact checkpoint, if there is one, and returns it. Yields warnings as events.
 *
 * @throws AttuneError if the checkpoint belongs to another run.
 */
export async function* restoreCheckpoint(
  { run, tasks, engine, checkpoints, spec, perEpoch, logs }: RestoreOptions,
): AsyncGenerator<TrainingEvent, Restored> {
  const { training, schedule, catalog } = run;
  const { name, saved, damaged } = await checkpoints.newest();
  for (const { name, problem } of damaged) {
    const message = `Checkpoint ${name} is damaged and was skipped: ${problem}`;
    yield { type: "warning", step: 0, epoch: 0, code: "DAMAGED_CHECKPOINT", message };
  }
  if (!saved) return { drift: yield* beginFresh(tasks, engine) };
  assertSameRun(name ?? "", saved, spec, await fingerprintsOf(tasks), catalog);
  const message = changedLength(saved, training, perEpoch, schedule);
  if (message) yield { type: "warning", step: saved.state.step, epoch: 0, code: "OTHER_LENGTH", message };
  await checkpoints.retire(name ?? "");
  engine.restore(saved.tensors);
  logs.resume(saved.logs);
  return { name, saved, drift: saved.state.drift };
}

/**
 * Where a run begins: at a checkpoint, or with the weights of its model.
 * @module
 */
import type { Engine } from "../engine/engine.ts";
import type { Drift, Json, Named, TrainingEvent } from "../types.ts";
import { isQuantizer } from "./accelerated.ts";
import type { TaskRows } from "./batches.ts";
import type { CheckpointFiles } from "./checkpoint_files.ts";
import type { Checkpoints } from "./checkpoints.ts";
import type { OpenRun } from "./open.ts";
import { assertSameRun, changedLength } from "./resume.ts";

/** What a run goes on with. */
export type RestoreOptions = Readonly<{
  open: OpenRun;
  tasks: readonly TaskRows[];
  engine: Engine;
  /** Absent where the run does not resume. */
  checkpoints: Checkpoints | undefined;
  /** The parts of the spec that must be the same. */
  spec: Named<Json>;
  /** Micro-batches of an epoch. */
  perEpoch: number;
  fingerprints: () => Promise<Named<string>>;
  /** Puts logs back to where they stood. */
  resumeLogs: (marks: Named<Json>) => void;
}>;

/** Where it begins: a checkpoint and its name; and what quantizing the base has changed. */
export type Restored = Readonly<{ name?: string | undefined; saved?: CheckpointFiles; drift: Drift | undefined }>;

/** What accelerators have to say where the run will be. */
function* notices({ run, host }: OpenRun): Generator<TrainingEvent> {
  for (const accelerator of run.accelerators) {
    const message = accelerator.notice?.(host.provider);
    if (message !== undefined) yield { type: "warning", step: 0, epoch: 0, code: "ACCELERATOR", message };
  }
}

/**
 * Puts the newest sound checkpoint in place and returns it, where there is one; warnings come out as events.
 *
 * @throws AttuneError where it is of another run.
 */
export async function* restoreCheckpoint(
  { open, tasks, engine, checkpoints, spec, perEpoch, fingerprints, resumeLogs }: RestoreOptions,
): AsyncGenerator<TrainingEvent, Restored> {
  const { training, schedule, catalog } = open.run;
  const { name, saved, damaged } = checkpoints ? await checkpoints.newest() : { damaged: [] };
  for (const { name, problem } of damaged) {
    const message = `Checkpoint ${name} is damaged and passed over: ${problem}`;
    yield { type: "warning", step: 0, epoch: 0, code: "DAMAGED_CHECKPOINT", message };
  }
  if (saved) {
    assertSameRun(name ?? "", saved, spec, await fingerprints(), catalog);
    const message = changedLength(saved, training, perEpoch, schedule);
    if (message) yield { type: "warning", step: saved.state.step, epoch: 0, code: "OTHER_LENGTH", message };
    await checkpoints?.retire(name ?? "");
    engine.restore(saved.tensors);
    resumeLogs(saved.logs);
    return { name, saved, drift: saved.state.drift };
  }
  yield* notices(open);
  if (engine.fresh.length > 0) {
    const message = `${engine.fresh.length} parameters are not in ${open.checkpoint.label} and start at random: ${
      engine.fresh.slice(0, 6).join(", ")
    }`;
    yield { type: "warning", step: 0, epoch: 0, code: "NEW_PARAMETERS", message };
  }
  if (!open.run.accelerators.some(isQuantizer)) return { drift: undefined };
  const { passQualityGate } = await import("./quality_gate.ts");
  return { drift: yield* passQualityGate(tasks) };
}

/** The place where runs of a search or of folds happen; here, in worker threads that keep what the runs share. */
import { cpus } from "node:os";
import { join } from "node:path";
import type { Json, Named, TrainingEvent } from "../../core/types.ts";
import { memoryKills } from "./memory_kills.ts";
import { openTrainingWorker, type TrainingWorker } from "../host/train.ts";

/** How a run ended. */
export type RunEnd = Extract<TrainingEvent, { type: "end" }>;

/** Options of a run. */
export type RunOptions = Readonly<{
  /** The index of the run among those that run at the same time. */
  slot: number;
  signal: AbortSignal;
  see: (event: TrainingEvent) => void;
  /** Whether to evaluate on test rows, too, if there are any. */
  test: boolean;
}>;

/** Trains specs into folders, and resumes in folders that have a checkpoint. */
export interface Runs {
  run(spec: Named<Json>, folder: string, options: RunOptions): Promise<RunEnd>;
  /** Returns how many processes the machine of the runs has killed for lack of memory, if known. */
  memoryKills?: (() => number | undefined) | undefined;
  /** Closes what the runs share; a further run opens it again. */
  close(): Promise<void>;
}

/** Returns runs on this machine below a folder, in as many workers as there are slots. */
export function runsHere(below: string, slots: number): Runs {
  const threads = slots === 1 ? undefined : Math.max(1, Math.floor(cpus().length / slots));
  const workers = new Map<number, Promise<TrainingWorker>>();
  return {
    run: async (spec, folder, { slot, signal, see, test }) => {
      const worker = workers.get(slot) ?? openTrainingWorker();
      workers.set(slot, worker);
      let end: RunEnd | undefined;
      try {
        const events = (await worker).train(spec, {
          output: join(below, folder),
          resume: true,
          signal,
          threads,
          without: test ? [] : ["test"],
        });
        for await (const event of events) {
          see(event);
          if (event.type === "end") end = event;
        }
      } catch (error) {
        // A failed worker is closed, with whatever state it has left.
        workers.delete(slot);
        await (await worker).close();
        throw error;
      }
      if (!end) throw new Error("The run stopped without an end event");
      return end;
    },
    memoryKills,
    close: async () => {
      const all = [...workers.values()];
      workers.clear();
      await Promise.all(all.map(async (worker) => await (await worker).close()));
    },
  };
}

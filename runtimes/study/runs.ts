/** Where the runs of a search or of folds happen: here, in worker threads that keep what runs share. */
import { cpus } from "node:os";
import { join } from "node:path";
import type { Json, Named, TrainingEvent } from "../../core/types.ts";
import { memoryKills } from "./memory_kills.ts";
import { openTrainingWorker, type TrainingWorker } from "../host/train.ts";

/** How a run ended. */
export type RunEnd = Extract<TrainingEvent, { type: "end" }>;

/** What a run is told and tells. */
export type RunOptions = Readonly<{
  /** Of the runs that go on at one time, which this is. */
  slot: number;
  signal: AbortSignal;
  see: (event: TrainingEvent) => void;
  /** Whether the test rows are measured too, where there are any. */
  test: boolean;
}>;

/** Something that trains specs into folders, and goes on where a folder has a checkpoint. */
export interface Runs {
  run(spec: Named<Json>, folder: string, options: RunOptions): Promise<RunEnd>;
  /** How many processes the machine that they run on has killed for want of memory, where that is known. */
  memoryKills?: (() => number | undefined) | undefined;
  /** Lets go of what is kept open; a further run opens it anew. */
  close(): Promise<void>;
}

/** Runs of this machine below a folder, in as many workers as there are slots. */
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
        // What else it may have left behind goes with it.
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

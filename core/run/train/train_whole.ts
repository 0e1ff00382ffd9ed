/** A whole run in one call. */
import { AttuneError, missing } from "../../base/errors.ts";
import type { Host, Named, Run, Store, TrainingEvent, TrainOptions } from "../../types.ts";
import { trainRun } from "./train.ts";

/** How {@link train} runs. */
export type TrainWholeOptions = Readonly<
  Omit<TrainOptions, "output"> & {
    /** Where to: a folder, or a store. Absent: nothing is written, the metrics are all that is left. */
    output?: string | Store;
    /** Is told every event as it happens. */
    onEvent?: (event: TrainingEvent) => void;
  }
>;

/** How a run ended. */
export type TrainedRun = Readonly<{
  /** "stopped": a callback ended it early; "interrupted": the signal did, a checkpoint is written. */
  reason: "done" | "stopped" | "interrupted";
  /** Optimizer steps that were made. */
  step: number;
  /** The final figures; empty without rows to evaluate on. */
  metrics: Named<number>;
  /** What these are of: "test" where the run has test rows. */
  split?: "eval" | "test";
  /** Where they are of test rows, those of the rows that judged the run. */
  eval?: Named<number>;
  /** Why it was stopped. */
  message?: string;
}>;

/**
 * Trains a run to its end, writes what it made, and gives the final metrics.
 *
 * @throws AttuneError if it cannot start, and (`DIVERGED`) where it diverges.
 * @example
 * ```ts
 * import { compose, train } from "attune";
 * import { catalog } from "attune/catalog";
 * import { node } from "attune/node";
 * const run = compose({
 *   version: 1,
 *   model: { use: "pretrained", with: { path: "attune:base" } },
 *   task: { use: "sequence-classification", with: { labels: ["bad", "good"] } },
 *   data: { train: { use: "memory", with: { rows: [{ text: "fine", label: "good" }] } } },
 *   training: { maxSteps: 1 },
 * }, catalog);
 * console.assert(typeof train === "function" && typeof node === "function" && run.training.maxSteps === 1);
 * // const { metrics } = await train(run, await node(), { output: "./out" });
 * ```
 */
export async function train(run: Run, host: Host, options: TrainWholeOptions = {}): Promise<TrainedRun> {
  const { output, onEvent, ...rest } = options;
  const store = typeof output === "string" ? host.directory?.(host.resolve?.(output) ?? output) : output;
  if (typeof output === "string" && !store) throw missing("train", "access to files", host.runtime);
  let end: Extract<TrainingEvent, { type: "end" }> | undefined;
  for await (const event of trainRun(run, host, { ...rest, ...(store ? { output: store } : {}) })) {
    onEvent?.(event);
    if (event.type === "end") end = event;
  }
  if (!end || end.reason === "diverged") {
    throw new AttuneError(end?.message ?? "The run stopped without an end event", {
      code: "DIVERGED",
      plugin: "train",
    });
  }
  const { reason, step, metrics, split, eval: judged, message } = end;
  return {
    reason,
    step,
    metrics,
    ...(split ? { split } : {}),
    ...(judged ? { eval: judged } : {}),
    ...(message === undefined ? {} : { message }),
  };
}

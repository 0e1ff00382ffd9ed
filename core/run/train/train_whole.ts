/** A whole run in one call. */
import { AttuneError, missing } from "../../base/errors.ts";
import type { Host, Named, Run, Store, TrainingEvent, TrainOptions } from "../../types.ts";
import { trainRun } from "./train.ts";

/** Options of {@link train}. */
export type TrainWholeOptions = Readonly<
  Omit<TrainOptions, "output"> & {
    /** Folder or store for the results. Absent: nothing is written, and only the metrics are returned. */
    output?: string | Store;
    /** Called with every event as it happens. */
    onEvent?: (event: TrainingEvent) => void;
  }
>;

/** The end of a run, with its final metrics. */
export type TrainedRun = Readonly<{
  /** "stopped": a callback ended the run early; "interrupted": the signal did, after writing a checkpoint. */
  reason: "done" | "stopped" | "interrupted";
  /** Number of optimizer steps. */
  step: number;
  /** The final metrics; empty without rows to evaluate on. */
  metrics: Named<number>;
  /** The split of these metrics: "test" if the run has test rows. */
  split?: "eval" | "test";
  /** The metrics of the eval rows, if `metrics` are those of test rows. */
  eval?: Named<number>;
  /** The reason for stopping. */
  message?: string;
}>;

/**
 * Trains a run to its end, writes the results, and returns the final metrics.
 *
 * @throws AttuneError if the run cannot start, and (`DIVERGED`) if it diverges.
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

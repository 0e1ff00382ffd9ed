/**
 * A log of a run as JSON Lines.
 * @module
 */
import * as v from "valibot";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory, TrainingEvent } from "../../core/types.ts";
import { lineLog } from "../../blocks/logger/mod.ts";

/** Options of {@link jsonl}. */
export interface JsonlOptions {
  /** The name of the log in the output folder. */
  readonly path: string;
  /**
   * Adds to each step `multiplyAddsPerSecond`, and `peakShare`, what that is of the machine's float32 peak. Because
   * times vary, the log of a repeated or resumed run is then no longer the same byte for byte.
   */
  readonly speed: boolean;
}

/**
 * One JSON line per event: every optimizer step, unrounded, whatever `loggingSteps` says, and evaluations, checkpoints,
 * warnings, start and end. Numbers that JSON lacks are null. The log of a resumed run
 * is, byte for byte, that of a run that was never cut off. Without an output it does nothing.
 *
 * @example
 * ```ts
 * import { jsonl } from "attune/loggers/jsonl";
 * console.assert(jsonl().name === "jsonl");
 * ```
 */
export const jsonl: Factory<"logger", Partial<JsonlOptions>> = define({
  kind: "logger",
  name: "jsonl",
  schema: v.strictObject({
    path: v.optional(role(v.pipe(v.string(), v.minLength(1)), { role: "file-name" }), "log.jsonl"),
    speed: v.optional(v.boolean(), false),
  }),
  create: ({ path, speed }: JsonlOptions) => ({
    open: async (host, _run, output) => {
      if (!output) return { log: () => {}, close: async () => {} };
      const lines = await lineLog(output, path);
      let peak: number | undefined;
      let last = host.clock.now();
      const speedOf = (event: TrainingEvent): object => {
        const seconds = (host.clock.now() - last) / 1000;
        last = host.clock.now();
        if (!speed || event.type !== "step" || !event.multiplyAdds || seconds <= 0) return {};
        const multiplyAddsPerSecond = event.multiplyAdds / seconds;
        return { multiplyAddsPerSecond, ...(peak ? { peakShare: multiplyAddsPerSecond / peak } : {}) };
      };
      return {
        log: (event) => {
          const measured = speedOf(event);
          if (event.type === "peak") peak = event.peakMultiplyAddsPerSecond;
          if (
            event.type === "peak" || event.type === "progress" || event.type === "examples" || event.type === "samples"
          ) return;
          // A resumed run's log equals that of an uninterrupted run, so it has a single start.
          if (event.type === "start") {
            lines.begin(event.step === 0 ? 0 : undefined);
            peak = event.peakMultiplyAddsPerSecond;
            if (event.step > 0) return;
          }
          const { type, step, epoch, ...rest } = speed ? event : unmeasured(event);
          lines.write(JSON.stringify({ type, step, epoch, ...rest, ...measured }));
        },
        mark: () => lines.mark(),
        resume: (mark) => lines.begin(Number(mark)),
        close: () => lines.close(),
      };
    },
  }),
});

/** Removes what is measured on the machine from an event, since it differs from run to run. */
function unmeasured(event: TrainingEvent): TrainingEvent {
  if (event.type !== "start") return event;
  const { peakMultiplyAddsPerSecond: _, ...same } = event;
  return same;
}

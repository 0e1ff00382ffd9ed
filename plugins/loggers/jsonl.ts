/**
 * A log of JSON lines.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import type { Factory } from "../../core/types.ts";
import { lineLog } from "./line_log.ts";

/** Options of {@link jsonl}. */
export interface JsonlOptions {
  /** The log's name in the output. */
  readonly path: string;
}

/** Schema of {@link JsonlOptions}. */
export const jsonlSchema: v.GenericSchema<Partial<JsonlOptions>, JsonlOptions> = v.strictObject({
  path: v.optional(v.pipe(v.string(), v.minLength(1)), "log.jsonl"),
});

/**
 * One JSON line per event: every optimizer step, unrounded, whatever `loggingSteps` says, and evaluations, checkpoints,
 * warnings, start and end. Numbers that JSON lacks are null. A resumed run continues the log from its step. Without an
 * output it does nothing.
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
  schema: jsonlSchema,
  create: ({ path }) => ({
    open: async (_host, _run, output) => {
      if (!output) return { log: () => {}, close: async () => {} };
      const lines = await lineLog(output, path, belongs);
      return {
        log: (event) => {
          if (event.type === "progress" || event.type === "examples") return;
          if (event.type === "start") lines.begin(event.step);
          const { type, step, epoch, ...rest } = event;
          lines.write(JSON.stringify({ type, step, epoch, ...rest }));
        },
        close: () => lines.close(),
      };
    },
  }),
});

/** Whether a line belongs to a run that goes on from `step`. An end was none then. */
function belongs(line: string, step: number): boolean {
  try {
    const event: unknown = JSON.parse(line);
    if (typeof event !== "object" || event === null || !("step" in event) || !("type" in event)) return false;
    return typeof event.step === "number" && event.step <= step && event.type !== "end";
  } catch {
    return false;
  }
}

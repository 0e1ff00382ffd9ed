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
  schema: jsonlSchema,
  create: ({ path }) => ({
    open: async (_host, _run, output) => {
      if (!output) return { log: () => {}, close: async () => {} };
      const lines = await lineLog(output, path);
      return {
        log: (event) => {
          if (event.type === "progress" || event.type === "examples" || event.type === "samples") return;
          // The log of a resumed run is the one of a run that was never cut off, so it starts once.
          if (event.type === "start") {
            lines.begin(event.step === 0 ? 0 : undefined);
            if (event.step > 0) return;
          }
          const { type, step, epoch, ...rest } = event;
          lines.write(JSON.stringify({ type, step, epoch, ...rest }));
        },
        mark: () => lines.mark(),
        resume: (mark) => lines.begin(Number(mark)),
        close: () => lines.close(),
      };
    },
  }),
});

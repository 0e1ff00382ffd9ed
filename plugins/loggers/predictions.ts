/**
 * A log of what the trained model answers: a line for every row that the run is reported on.
 * @module
 */
import * as v from "valibot";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { predictionLine } from "../../core/evaluation/predictions.ts";
import type { Factory } from "../../core/types.ts";

/** Options of {@link predictions}. */
export interface PredictionsOptions {
  /**
   * The name of the file in the output folder; with several tasks there is one per task, prefixed with its name and a
   * dash.
   */
  readonly path: string;
}

/**
 * Writes `predictions.jsonl` at the end of a run: for every row of `data.test` (or else `data.eval`), its label, the
 * trained model's answer, and class scores. Rows wait in memory for that. A run whose task answers places rather than
 * rows leaves no file, and one without an output does nothing.
 *
 * @example
 * ```ts
 * import { predictions } from "attune/loggers/predictions";
 * console.assert(predictions().everyRow === true);
 * ```
 */
export const predictions: Factory<"logger", Partial<PredictionsOptions>> = define({
  kind: "logger",
  name: "predictions",
  schema: v.strictObject({
    path: v.optional(role(v.pipe(v.string(), v.minLength(1)), { role: "file-name" }), "predictions.jsonl"),
  }),
  create: ({ path }: PredictionsOptions) => ({
    everyRow: true,
    open: async (_host, _run, output) => {
      const files = new Map<string, string>();
      return {
        log: (event) => {
          if (event.type !== "examples" || event.phase !== "after" || event.examples.length === 0) return;
          const lines = event.examples.map((example) => `${predictionLine(example, example.groups ?? {})}\n`);
          files.set(event.task === "" ? path : `${event.task}-${path}`, lines.join(""));
        },
        close: async () => {
          for (const [name, text] of files) await output?.put(name, new TextEncoder().encode(text));
        },
      };
    },
  }),
});

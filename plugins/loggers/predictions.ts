/**
 * A log of the trained model's answers: a line for every row of the final evaluation.
 * @module
 */
import * as v from "valibot";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { predictionLine } from "../../core/evaluation/predictions.ts";
import type { Example, Factory } from "../../core/types.ts";

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
 * trained model's answer, and class scores. A run whose task answers positions rather
 * than rows writes no file, and one without an output does nothing.
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
    open: async (_host, _run, output) => ({
      log: () => {},
      rows: async (task, rows) => {
        const lines = linesOf(rows);
        // A task that answers parts of rows yields no lines.
        const first = await lines.next();
        if (first.done || !output) return;
        await output.put(task === "" ? path : `${task}-${path}`, startingWith(first.value, lines));
      },
      close: async () => {},
    }),
  }),
});

/** Approximate number of bytes per write. */
const AT_ONCE = 2 ** 16;

async function* linesOf(rows: AsyncIterable<Example>): AsyncGenerator<Uint8Array> {
  let text = "";
  for await (const row of rows) {
    text += `${predictionLine(row, row.groups ?? {})}\n`;
    if (text.length < AT_ONCE) continue;
    yield new TextEncoder().encode(text);
    text = "";
  }
  if (text !== "") yield new TextEncoder().encode(text);
}

async function* startingWith(first: Uint8Array, others: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield first;
  yield* others;
}

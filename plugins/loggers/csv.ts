/**
 * Logs of a run as comma-separated values.
 * @module
 */
import * as v from "valibot";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";
import { lineLog } from "../../blocks/logger/mod.ts";
import { type Gathered, type LoggedSteps, loggingInterval } from "../../blocks/logger/mod.ts";

/** Options of {@link csv}. */
export interface CsvOptions {
  /** The name of the step log in the output folder. */
  readonly path: string;
  /** The name of the evaluation log in the output folder. */
  readonly evalPath: string;
}

const name: v.GenericSchema<string> = role(v.pipe(v.string(), v.minLength(1)), { role: "file-name" });

const columns = ["step", "epoch", "loss", "gradNorm", "learningRate", "tokens", "samples"] as const;

/**
 * Two tables: of steps, a row every `training.loggingSteps` with the mean loss since the last; of evaluations, a row
 * per metric (`step,epoch,metric,value`). A resumed run continues both from its checkpoint. Without an output it does
 * nothing.
 *
 * @example
 * ```ts
 * import { csv } from "attune/loggers/csv";
 * console.assert(csv().name === "csv");
 * ```
 */
export const csv: Factory<"logger", Partial<CsvOptions>> = define({
  kind: "logger",
  name: "csv",
  schema: v.pipe(
    v.strictObject({ path: v.optional(name, "log.csv"), evalPath: v.optional(name, "eval.csv") }),
    v.check(({ path, evalPath }) => path !== evalPath, "two different names"),
  ),
  create: ({ path, evalPath }: CsvOptions) => ({
    open: async (_host, run, output) => {
      if (!output) return { log: () => {}, close: async () => {} };
      const steps = await lineLog(output, path, columns.join(","));
      const evaluations = await lineLog(output, evalPath, "step,epoch,metric,value");
      const interval = loggingInterval(run.training);
      const write = (row: LoggedSteps | undefined): void => {
        if (row) steps.write(columns.map((column) => row[column]).join(","));
      };
      return {
        log: (event) => {
          if (event.type === "start") {
            for (const lines of [steps, evaluations]) lines.begin(event.step === 0 ? 0 : undefined);
          }
          write(interval.see(event));
          if (event.type === "end") write(interval.flush());
          if (event.type !== "evaluate") return;
          for (const [metric, value] of Object.entries(event.metrics)) {
            evaluations.write([event.step, event.epoch, quoteCell(metric), value].join(","));
          }
        },
        mark: async () => [await steps.mark(), await evaluations.mark(), interval.state()],
        resume: (mark) => {
          const [atStep, atEvaluation, gathered] = mark as unknown as readonly [number, number, Gathered];
          steps.begin(atStep);
          evaluations.begin(atEvaluation);
          interval.restore(gathered);
        },
        close: async () => {
          write(interval.flush());
          await steps.close();
          await evaluations.close();
        },
      };
    },
  }),
});

/** Quotes a field by RFC 4180; line breaks become blanks, so that each row is one line. */
function quoteCell(text: string): string {
  const line = text.replace(/[\r\n]+/g, " ");
  return /[",]/.test(line) ? `"${line.replaceAll('"', '""')}"` : line;
}

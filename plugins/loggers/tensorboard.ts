/**
 * Logs for TensorBoard.
 * @module
 */
import * as v from "valibot";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory, LogWriter, Store, TrainingEvent } from "../../core/types.ts";
import { appendQueue, type LoggedSteps, loggingInterval } from "../../blocks/logger/mod.ts";
import { restartRecord, scalarsRecord, textRecord, versionRecord } from "./tensorboard/tfevents.ts";

/** Options of {@link tensorboard}. */
export interface TensorboardOptions {
  /** The folder for event files in the output folder. */
  readonly directory: string;
}

/**
 * Event files for TensorBoard under transformers' tags: `train/loss` (the mean since the last), `train/grad_norm`,
 * `train/learning_rate` and `train/epoch` every `training.loggingSteps`, `eval/...` of each evaluation, and the run
 * spec as text. A resumed run adds a file. Without an output it does nothing.
 *
 * @example
 * ```ts
 * import { tensorboard } from "attune/loggers/tensorboard";
 * console.assert(tensorboard().name === "tensorboard");
 * ```
 */
export const tensorboard: Factory<"logger", Partial<TensorboardOptions>> = define({
  kind: "logger",
  name: "tensorboard",
  schema: v.strictObject({
    directory: v.optional(role(v.pipe(v.string(), v.minLength(1)), { role: "file-name" }), "tensorboard"),
  }),
  create: ({ directory }: TensorboardOptions) => ({
    open: async (_host, run, output) => {
      if (!output) return { log: () => {}, close: async () => {} };
      const earlier = await filesIn(output, directory);
      const file = appendQueue(output, nameOf(directory, earlier));
      const interval = loggingInterval(run.training);
      file.append(versionRecord(seconds()));
      if (earlier === 0) {
        // Text is Markdown, in which an indent of four blanks makes lines verbatim.
        const spec = JSON.stringify(run.spec, null, 2).replace(/^/gm, "    ");
        file.append(textRecord(seconds(), 0, "spec/text_summary", spec));
      }
      const write = (row: LoggedSteps | undefined): void => {
        if (row) file.append(scalarsRecord(seconds(), row.step, scalarsOf(row)));
      };
      const log = (event: TrainingEvent): void => {
        if (event.type === "start" && earlier > 0) file.append(restartRecord(seconds(), event.step + 1));
        write(interval.see(event));
        if (event.type === "end") write(interval.flush());
        if (event.type !== "evaluate") return;
        const metrics = Object.entries(event.metrics).map(([name, value]) => [`eval/${name}`, value] as const);
        file.append(scalarsRecord(seconds(), event.step, metrics));
      };
      const sink: LogWriter = {
        log,
        close: async () => {
          write(interval.flush());
          await file.close();
        },
      };
      return sink;
    },
  }),
});

function scalarsOf({ loss, gradNorm, learningRate, epoch }: LoggedSteps): (readonly [string, number])[] {
  return [
    ["train/loss", loss],
    ["train/grad_norm", gradNorm],
    ["train/learning_rate", learningRate],
    ["train/epoch", epoch],
  ];
}

async function filesIn(output: Store, directory: string): Promise<number> {
  let files = 0;
  for await (const _ of output.list(`${directory}/`)) files++;
  return files;
}

/** Returns a file name. TensorBoard reads files in alphabetical order, so later files need later names. */
function nameOf(directory: string, earlier: number): string {
  const time = String(Math.floor(seconds())).padStart(10, "0");
  return `${directory}/events.out.tfevents.${time}.attune.${String(earlier).padStart(4, "0")}`;
}

/** Returns the time since 1970, which TensorBoard needs; the host's clock may have any origin. */
function seconds(): number {
  return Date.now() / 1000;
}

import { lineLog } from "attune/blocks/logger";
import { define } from "attune/kit";
import * as v from "valibot";

/** A file with a line for each step: its number and its loss. */
export const lossLines = define({
  kind: "logger",
  name: "loss-lines",
  schema: v.strictObject({ path: v.optional(v.pipe(v.string(), v.minLength(1)), "losses.txt") }),
  create: ({ path }) => ({
    open: async (_host, _run, output) => {
      const lines = output && await lineLog(output, path);
      return {
        log: (event) => {
          if (event.type === "start") lines?.begin(event.step === 0 ? 0 : undefined);
          if (event.type === "step") lines?.write(`${event.step} ${event.loss}`);
        },
        mark: async () => await lines?.mark() ?? 0,
        resume: (mark) => lines?.begin(Number(mark)),
        close: async () => await lines?.close(),
      };
    },
  }),
});

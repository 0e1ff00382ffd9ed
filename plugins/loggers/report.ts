/**
 * The report of a run: one HTML file with curves, intervals, mistakes and facts.
 * @module
 */
import * as v from "valibot";
import { toSpec } from "../../core/spec/to_spec.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory, Json } from "../../core/types.ts";
import { type CollectorState, createCollector } from "./report/collect.ts";
import { renderPage } from "./report/page.ts";

/** Options of {@link report}. */
export interface ReportOptions {
  /** How many rows with the highest loss to show, with their texts. 0 keeps all texts out of the file. */
  readonly worstRows: number;
}

/**
 * Writes `report.html` when a run closes: the main figure with its interval, compared with the untouched model and the
 * majority class; curves, confusion matrix, calibration, worst rows, texts and tags next to the references, and the
 * spec. The file fetches and executes nothing. Nothing is written where a run has no output or did not start.
 *
 * @throws what the output's store throws where the file cannot be written.
 * @example
 * ```ts
 * import { report } from "attune/loggers/report";
 * console.assert(report({ worstRows: 50 }).name === "report");
 * ```
 */
export const report: Factory<"logger", Partial<ReportOptions>> = define({
  kind: "logger",
  name: "report",
  schema: v.strictObject({
    worstRows: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(1000)), 20),
  }),
  create: ({ worstRows }: ReportOptions) => ({
    open: async (host, run, output) => {
      const { log, collected, state, restore } = createCollector(host.clock.now, worstRows);
      return {
        log,
        mark: async () => state() as unknown as Json,
        resume: (mark) => restore(mark as unknown as CollectorState),
        close: async () => {
          const seen = collected();
          // A run that failed before its first step leaves its folder as it was.
          if (!output || !(seen.start || seen.tasks.size > 0)) return;
          await output.put("report.html", new TextEncoder().encode(renderPage(run, toSpec(run), seen)));
        },
      };
    },
  }),
});

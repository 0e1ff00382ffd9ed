/** The report of an evaluation: the page that a run writes, without the part about training. */
import type { OpenRun } from "../../core/run/open/open.ts";
import type { Example, Host, Json, Named, Store, TrainingEvent } from "../../core/types.ts";

/** Content of the report. */
export type EvaluationShown = Readonly<{
  split?: "train" | "eval" | "test" | undefined;
  metrics: Named<number>;
  examples: readonly Example[];
  /** The figures as they are printed. */
  figures: Named<Json>;
  /** Number of rows that were evaluated. */
  rows: number;
}>;

/** Returns the page's HTML, as the report logger writes it. */
export async function evaluationReport(
  { run, task }: OpenRun,
  host: Host,
  { split, metrics, figures, examples, rows }: EvaluationShown,
): Promise<string> {
  let page = "";
  const store = {
    put: async (_key: string, bytes: Uint8Array): Promise<void> => void (page = new TextDecoder().decode(bytes)),
  } as unknown as Store;
  const logger = await run.use("logger", "report").open(host, run, store);
  const of = split === "train" ? undefined : split;
  const at = { step: 0, epoch: 0, ...(of ? { split: of } : {}) } as const;
  const events: readonly TrainingEvent[] = [
    { type: "examples", phase: "after", task: "", labels: task.labels ?? [], metrics, figures, examples, rows, ...at },
    { type: "end", reason: "done", metrics, rows, ...at },
  ];
  for (const event of events) logger.log(event);
  await logger.close();
  return page;
}

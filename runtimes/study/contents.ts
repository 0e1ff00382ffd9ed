/** What rows several runs are of, so that they go on over the same ones alone. */
import { splitNames, taskData } from "../../core/spec/run_data.ts";
import type { Host, Json, Named, Run } from "../../core/types.ts";

/** The fingerprint of each data set of a run, as its source has it, by its split; of several tasks by the task's name too. */
export async function contentOf(run: Run, host: Host): Promise<Named<Json>> {
  const contents: Record<string, Json> = {};
  for (const task of run.task.subtasks) {
    const splits = taskData(run, task);
    for (const split of splitNames) {
      const dataset = splits[split];
      if (!dataset) continue;
      const { fingerprint } = await (dataset.transformed?.source ?? dataset).open(host);
      contents[task.name === "" ? split : `${task.name}.${split}`] = fingerprint;
    }
  }
  return contents;
}

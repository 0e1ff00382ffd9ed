/** Fingerprints of the rows of several runs, so that these only resume over the same rows. */
import { splitNames, taskData } from "../../core/spec/run_data.ts";
import type { Host, Json, Named, Run } from "../../core/types.ts";

/** Returns the fingerprint of each data set's source by split, and if there are several tasks by task and split. */
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

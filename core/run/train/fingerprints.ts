/** What a run is of, as hashes. */
import type { Named } from "../../types.ts";
import { splitsOf, type TaskRows } from "../rows/task_rows.ts";

/** What a run is of: hashes of its base, its tokenizer and its rows. */
export async function fingerprintsOf(tasks: readonly TaskRows[]): Promise<Named<string>> {
  const [{ open }] = tasks as [TaskRows];
  return {
    base: await open.checkpoint.fingerprint(),
    tokenizer: open.tokenizer.fingerprint,
    ...Object.fromEntries(tasks.flatMap((taskRows) => {
      const { name: task } = taskRows.open.task;
      return splitsOf(taskRows).map(([name, { fingerprint }]) => [task === "" ? name : `${task}.${name}`, fingerprint]);
    })),
  };
}

/** Fingerprints of a run's inputs. */
import type { Named } from "../../types.ts";
import { splitsOf, type TaskRows } from "../rows/task_rows.ts";

/** Returns hashes of a run's base, its tokenizer and the rows of each split. */
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

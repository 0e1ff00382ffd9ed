/** Losses that weight classes by their frequency in the training rows. */
import { badValue, missing, unsupported } from "../../base/errors.ts";
import type { Dataset, Host, Loss, Subtask } from "../../types.ts";

/** Task and rows whose classes are counted. */
export type CountedRows = Readonly<
  { task: Subtask; train: Dataset | undefined; host: Host; classes: number | undefined }
>;

/** Returns a loss with the number of labels per class. Throws AttuneError if the classes of rows are unknown. */
export async function withClassCounts(loss: Loss, { task, train, host, classes }: CountedRows): Promise<Loss> {
  const { classIds } = task;
  if (!classIds) {
    throw unsupported(
      loss.name,
      "loss.with.classWeights",
      "balanced",
      "the task does not say which classes its rows have",
    );
  }
  if (!train) throw missing("spec", "the rows whose classes are counted (or classWeights as numbers)", "data.train");
  const counts = new Array<number>(classes ?? task.labels?.length ?? 0).fill(0);
  let index = 0;
  for await (const { row } of (await train.open(host)).read()) {
    for (const id of classIds(row, index)) {
      if (!(id in counts)) throw badValue(loss.name, `row ${index}`, id, `a class from 0 to ${counts.length - 1}`);
      counts[id] = (counts[id] ?? 0) + 1;
    }
    index++;
  }
  return loss.withClassCounts?.(counts) ?? loss;
}

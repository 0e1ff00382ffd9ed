/** The rows of a run's tasks. */
import type { SplitName } from "../../types.ts";
import type { OpenRun } from "../open/open_run.ts";
import type { EncodedRows } from "./encoded_rows.ts";
import type { Leaks } from "./leaks.ts";

/** An opened task with its rows: for training, for evaluation during training, and for the final report (`test`). */
export type TaskRows = Readonly<
  {
    open: OpenRun;
    train: EncodedRows;
    evalRows: EncodedRows | undefined;
    test?: EncodedRows | undefined;
    /** Rows of the other splits that are also training rows, by split. */
    leaks?: Readonly<Record<string, Leaks>>;
  }
>;

/** Returns the splits that a task has, with their names. */
export function splitsOf(
  { train, evalRows, test }: Pick<TaskRows, "train" | "evalRows" | "test">,
): readonly (readonly [name: SplitName, rows: EncodedRows])[] {
  return ([["train", train], ["eval", evalRows], ["test", test]] as const).flatMap(([name, rows]) =>
    rows ? [[name, rows] as const] : []
  );
}

/** The rows that a run's tasks have. */
import type { SplitName } from "../../types.ts";
import type { OpenRun } from "../open/open_run.ts";
import type { EncodedRows } from "./encoded_rows.ts";
import type { Leaks } from "./leaks.ts";

/** A task of a run, opened, with its rows: to train on, to judge by while it trains, and to report on behind its end. */
export type TaskRows = Readonly<
  {
    open: OpenRun;
    train: EncodedRows;
    evalRows: EncodedRows | undefined;
    test?: EncodedRows | undefined;
    /** Rows of the other splits that are trained on as well. */
    leaks?: Readonly<Record<string, Leaks>>;
  }
>;

/** The rows of a task that there are, by the names of their splits. */
export function splitsOf(
  { train, evalRows, test }: Pick<TaskRows, "train" | "evalRows" | "test">,
): readonly (readonly [name: SplitName, rows: EncodedRows])[] {
  return ([["train", train], ["eval", evalRows], ["test", test]] as const).flatMap(([name, rows]) =>
    rows ? [[name, rows] as const] : []
  );
}

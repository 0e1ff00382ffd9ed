/** Rows through transforms, as a run of a task has them. */
import type { DataContext } from "../../../core/spec/data_context.ts";
import { transformRows } from "../../../core/spec/transformed.ts";
import type { Row, RowColumns, Rows, Transform } from "../../../core/types.ts";
import { memory } from "../../../plugins/data/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { collect } from "../../../core/base/collect.ts";

const host = await hostHere(1);

/** The columns of the tasks that tests transform for. */
export const columns: { readonly [task: string]: RowColumns } = {
  classification: { texts: ["text", "textPair"], optional: ["textPair"], others: ["label"] },
  questions: { texts: ["question", "context"], spans: { answers: "context" } },
  tags: { texts: ["tokens"], parallel: { tags: "tokens" } },
};

/** Opened rows behind transforms. */
export async function openThrough(
  rows: readonly Row[],
  transforms: readonly Transform[],
  context: Partial<DataContext> = {},
): Promise<Rows> {
  return await transformRows(memory({ rows }), transforms, { seed: 42, columns: columns.classification, ...context })
    .open(host);
}

/** What comes out. */
export async function through(
  rows: readonly Row[],
  transforms: readonly Transform[],
  context: Partial<DataContext> = {},
): Promise<Row[]> {
  return (await collect((await openThrough(rows, transforms, context)).read())).map(({ row }) => row);
}

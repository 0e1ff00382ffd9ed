/** Sources of rows on the host of this machine. */
import { type Check, checksOf } from "../../../conformance/mod.ts";
import type { Dataset, Host, Row } from "../../../core/types.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { collect } from "../../../core/base/collect.ts";

/** The checks of a source that gives some rows, beside another one. */
export async function dataChecks(
  make: () => Dataset,
  rows: readonly Row[],
  other: () => Dataset,
): Promise<readonly Check[]> {
  return checksOf(make(), { host: await hostHere(1), rows, again: make, other: other() });
}

/** All rows of a source. */
export async function read(dataset: Dataset, host?: Host): Promise<Row[]> {
  return (await collect((await dataset.open(host ?? await hostHere(1))).read())).map(({ row }) => row);
}

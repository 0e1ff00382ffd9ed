/** Checks of data sets. */
import { assert } from "./assert.ts";
import { type Check, check } from "./check.ts";
import type { Dataset, Host, Row, Rows } from "../kit.ts";

/** Expectations of a data set. Absent ones are not checked; `rows` default to those of the first reading. */
export type DataFigures = Readonly<{
  rows?: readonly Row[];
  /** Creates the same data set anew, as another process would. */
  again?: () => Dataset;
  /** The same plugin over other rows, or with another seed. */
  other?: Dataset;
  /** The same plugin with other options, which may have other rows. */
  variants?: readonly Dataset[];
}>;

/** Returns the checks of a data set. */
export function dataChecks(dataset: Dataset, figures: DataFigures, host: Host): readonly Check[] {
  const { again = () => dataset, other, variants = [] } = figures;
  const rowsOf = async (opened: Rows): Promise<Row[]> => {
    const rows: Row[] = [];
    for await (const { row } of opened.read()) rows.push(row);
    return rows;
  };
  const expectedRows = async (): Promise<readonly Row[]> => figures.rows ?? await rowsOf(await again().open(host));
  return [
    check("gives its rows in order, the same each time", async () => {
      const rows = await expectedRows();
      const opened = await dataset.open(host);
      for (let pass = 0; pass < 2; pass++) {
        assert.deepEqual(await rowsOf(opened), rows);
      }
      if (opened.length !== undefined) assert.equal(opened.length, rows.length);
    }),
    check("goes on behind any row, in another process too", async () => {
      const rows = await expectedRows();
      const opened = await dataset.open(host);
      let count = 0;
      for await (const { next } of opened.read()) {
        count++;
        // Cursors are kept as JSON.
        const opened = await again().open(host);
        const rest: Row[] = [];
        for await (const { row } of opened.read(JSON.parse(JSON.stringify(next)))) rest.push(row);
        assert.deepEqual(rest, rows.slice(count));
        if (count >= 50) break;
      }
      assert.equal(count, Math.min(50, rows.length));
    }),
    check("gives rows by index as it reads them, and none that are not there", async () => {
      const rows = await expectedRows();
      const opened = await dataset.open(host);
      if (!opened.at) return "its rows have no `at`: a run reads them once and keeps them";
      const indices = rows.map((_, i) => rows.length - 1 - i);
      assert.deepEqual(await opened.at(indices), indices.map((i) => rows[i]));
      assert.deepEqual(await opened.at([0, 0]), [rows[0], rows[0]]);
      for (const index of [-1, rows.length, 0.5]) await assert.rejects(opened.at([index]), { name: "AttuneError" });
    }),
    check("has a fingerprint of its content", async () => {
      const fingerprintOf = async (one: Dataset): Promise<string> => (await one.open(host)).fingerprint;
      const first = await fingerprintOf(dataset);
      assert.match(first, /^[0-9a-f]{64}$/);
      assert.equal(await fingerprintOf(again()), first);
      if (other) assert.notEqual(await fingerprintOf(other), first);
      // Resuming a run and caching rows rely on the fingerprint alone.
      const rows = JSON.stringify(await expectedRows());
      for (const variant of variants) {
        const opened = await variant.open(host);
        const differs = opened.fingerprint !== first || JSON.stringify(await rowsOf(opened)) === rows;
        assert.ok(
          differs,
          `with ${JSON.stringify(variant.options)} the rows are others, and the fingerprint is the same`,
        );
      }
    }),
  ];
}

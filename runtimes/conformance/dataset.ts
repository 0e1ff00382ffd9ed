/**
 * What every data set must do. Exported for plugin authors.
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Dataset, Host, Row } from "../../core/types.ts";

/** Registers the battery; `rows` is what the data set must give, `other` the same kind over other rows or with another seed. */
export function testDataset(
  name: string,
  dataset: () => Dataset,
  host: () => Promise<Host>,
  rows: readonly Row[],
  other: () => Dataset,
): void {
  describe(`data set ${name}`, () => {
    it("gives its rows in order, the same each time", async () => {
      const opened = await dataset().open(await host());
      for (let pass = 0; pass < 2; pass++) {
        const found: Row[] = [];
        for await (const { row } of opened.read()) found.push(row);
        assert.deepEqual(found, rows);
      }
      if (opened.length !== undefined) assert.equal(opened.length, rows.length);
    });
    it("goes on behind any row, in another process too", async () => {
      const opened = await dataset().open(await host());
      let count = 0;
      for await (const { next } of opened.read()) {
        count++;
        // Cursors are kept as JSON.
        const again = await dataset().open(await host());
        const rest: Row[] = [];
        for await (const { row } of again.read(JSON.parse(JSON.stringify(next)))) rest.push(row);
        assert.deepEqual(rest, rows.slice(count));
        if (count >= 50) break;
      }
      assert.equal(count, Math.min(50, rows.length));
    });
    it("gives rows by index as it reads them, and none that are not there", async () => {
      const opened = await dataset().open(await host());
      if (!opened.at) return;
      const indices = rows.map((_, i) => rows.length - 1 - i);
      assert.deepEqual(await opened.at(indices), indices.map((i) => rows[i]));
      assert.deepEqual(await opened.at([0, 0]), [rows[0], rows[0]]);
      for (const index of [-1, rows.length, 0.5]) await assert.rejects(opened.at([index]), { name: "AttuneError" });
    });
    it("has a fingerprint of its content", async () => {
      const [a, b, c] = await Promise.all(
        [dataset(), dataset(), other()].map(async (d) => (await d.open(await host())).fingerprint),
      );
      assert.match(a ?? "", /^[0-9a-f]{64}$/);
      assert.equal(a, b);
      assert.notEqual(a, c);
    });
  });
}

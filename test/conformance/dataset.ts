/**
 * What every data set must do. Exported for plugin authors.
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Dataset, Host, Row } from "../../core/types.ts";

/** Registers the battery; `rows` is what the data set must give. */
export function testDataset(
  name: string,
  dataset: () => Dataset,
  host: () => Promise<Host>,
  rows: readonly Row[],
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
    it("goes on behind any row", async () => {
      const opened = await dataset().open(await host());
      let count = 0;
      for await (const { next } of opened.read()) {
        count++;
        const rest: Row[] = [];
        for await (const { row } of opened.read(JSON.parse(JSON.stringify(next)))) rest.push(row);
        assert.deepEqual(rest, rows.slice(count));
        if (count > 5) break;
      }
    });
    it("gives rows by index, where it can", async () => {
      const opened = await dataset().open(await host());
      if (!opened.at || rows.length === 0) return;
      assert.deepEqual(await opened.at([rows.length - 1, 0]), [rows.at(-1), rows[0]]);
    });
    it("has a fingerprint of its content", async () => {
      const [a, b] = [await dataset().open(await host()), await dataset().open(await host())];
      assert.equal(a.fingerprint, b.fingerprint);
      assert.match(a.fingerprint, /^[0-9a-f]{64}$/);
    });
  });
}

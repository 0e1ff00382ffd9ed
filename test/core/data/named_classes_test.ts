/** Numbers of classes mean what their source says. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { rowsInMemory } from "../../../blocks/data/mod.ts";
import { collect } from "../../../core/base/collect.ts";
import { withNamedClasses } from "../../../core/data/named_classes.ts";
import { leaksBetween } from "../../../core/run/rows/leaks.ts";
import { rowText } from "../../../core/data/compared_rows.ts";
import type { Row, Rows } from "../../../core/types.ts";

const labelled = (names: readonly string[], ...values: readonly unknown[]): Rows => ({
  ...rowsInMemory(values.map((label, i) => ({ text: `row ${i}`, label })), "rows"),
  classes: { label: names },
});
const labelsOf = async (rows: Rows): Promise<unknown[]> => (await collect(rows.read())).map(({ row }) => row.label);

describe("numbers of classes", () => {
  const classes = { label: ["bad", "good"] };
  it("in the order of the task stay as they are", async () => {
    const rows = labelled(["bad", "good"], 0, 1);
    assert.equal(await withNamedClasses(rows, classes), rows);
  });
  it("stand for what the source calls them, in lists too, and the fingerprint is another", async () => {
    const rows = labelled(["Good", "Bad"], 0, 1, -1, "bad", [1, 0]);
    const named = await withNamedClasses(rows, classes);
    const expected = ["good", "bad", -1, "bad", ["bad", "good"]];
    assert.deepEqual(await labelsOf(named), expected);
    assert.deepEqual((await named.at?.([1, 4]))?.map((row) => row.label), ["bad", ["bad", "good"]]);
    assert.notEqual(named.fingerprint, rows.fingerprint);
    assert.match(named.notes?.join() ?? "", /"label" .* 0 "good", 1 "bad"/);
    assert.equal(await withNamedClasses(named, classes), named);
  });
  it("whose names are numbers themselves are those of the source, not the names", async () => {
    const named = await withNamedClasses(labelled(["1", "2", "3"], 0, 1, 2), { label: ["1", "2", "3"] });
    assert.deepEqual(await labelsOf(named), ["1", "2", "3"]);
  });
  it("of names that the task does not have are the task's", async () => {
    const rows = labelled(["yes", "bad"], 0, 1);
    assert.equal(await withNamedClasses(rows, classes), rows);
  });
});

describe("rows of sources with names and with numbers of classes", () => {
  const columns = { texts: ["text"], others: ["label"], classes: { label: ["bad", "good"] } };
  const rows = (...list: readonly Row[]) => ({
    [Symbol.asyncIterator]: async function* () {
      for (const row of list) yield { row };
    },
  });
  it("are the same where they mean the same class", async () => {
    const train = rows({ text: "a", label: 1 }, { text: "b", label: 0 }, { text: "c", label: "1" });
    const other = rows({ text: "a", label: "good" }, { text: "b", label: "good" }, { text: "c", label: 1.0 });
    const { rows: leaked, first } = await leaksBetween(train, other, { columns });
    assert.deepEqual([leaked, first.map(({ train }) => train)], [2, [0, 2]]);
  });
  it("stay apart where a value is no class", () => {
    const textOf = rowText({ ...columns, classes: { label: ["1", "2"] } });
    assert.notEqual(textOf({ text: "a", label: 0 }), textOf({ text: "a", label: 1 }));
  });
});

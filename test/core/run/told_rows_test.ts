/**
 * Rows on their way to loggers: one waits at a time, whoever takes them.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { type RowTaker, tellingRows } from "../../../core/run/evaluate/told_rows.ts";
import type { Example } from "../../../core/types.ts";

const example = (row: number): Example => ({ row, text: "", reference: "a", prediction: "a" });

it("every taker has every row, and none is made before those before it are taken", async () => {
  const [slow, quick]: [number[], number[]] = [[], []];
  let made = 0;
  const into = (rows: number[]): RowTaker => async (task, all) => {
    assert.equal(task, "films");
    for await (const { row } of all) {
      assert.ok(made - row <= 1, `row ${row} is taken when ${made} were made`);
      rows.push(row);
      if (rows === slow) await Promise.resolve();
    }
  };
  await tellingRows([into(slow), into(quick)], "films", async (told) => {
    for (; made < 100; made++) await told?.tell([example(made)]);
    await told?.tell([]);
  });
  assert.deepEqual(slow, Array.from({ length: 100 }, (_, i) => i));
  assert.deepEqual(quick, slow);
});

it("a taker that fails lets the others go on, and is told of in the end", async () => {
  const rows: number[] = [];
  const fails: RowTaker = async (_, all) => {
    for await (const { row } of all) if (row === 1) throw new Error("the disk is full");
  };
  const atOnce: RowTaker = async () => {
    throw new Error("no place");
  };
  const takes: RowTaker = async (_, all) => {
    for await (const { row } of all) rows.push(row);
  };
  for (const [taker, message] of [[fails, /the disk is full/], [atOnce, /no place/]] as const) {
    rows.length = 0;
    const told = tellingRows([taker, takes], "", async (told) => await told?.tell([0, 1, 2, 3].map(example)));
    await assert.rejects(told, message);
    assert.deepEqual(rows, [0, 1, 2, 3]);
  }
});

it("an evaluation that breaks off is no end of the rows", async () => {
  let seen: unknown;
  const taker: RowTaker = async (_, all) => {
    try {
      for await (const _row of all);
    } catch (error) {
      seen = error;
      throw error;
    }
  };
  const error = new Error("out of memory");
  const told = tellingRows([taker], "", async (told) => {
    await told?.tell([example(0)]);
    throw error;
  });
  await assert.rejects(told, error);
  assert.equal(seen, error);
  assert.equal(await tellingRows([], "", async (told) => told), undefined);
});

/**
 * Rows on their way to loggers: one waits at a time, whoever takes them.
 */
import assert from "node:assert/strict";
import { it } from "node:test";
import { type RowConsumer, withRowStreams } from "../../../core/run/evaluate/row_streams.ts";
import type { Example } from "../../../core/types.ts";

const example = (row: number): Example => ({ row, text: "", reference: "a", prediction: "a" });

it("every taker has every row, and none is made before those before it are taken", async () => {
  const [slow, quick]: [number[], number[]] = [[], []];
  let made = 0;
  const into = (rows: number[]): RowConsumer => async (task, all) => {
    assert.equal(task, "films");
    for await (const { row } of all) {
      assert.ok(made - row <= 1, `row ${row} is taken when ${made} were made`);
      rows.push(row);
      if (rows === slow) await Promise.resolve();
    }
  };
  await withRowStreams([into(slow), into(quick)], "films", async (streams) => {
    for (; made < 100; made++) await streams?.push([example(made)]);
    await streams?.push([]);
  });
  assert.deepEqual(slow, Array.from({ length: 100 }, (_, i) => i));
  assert.deepEqual(quick, slow);
});

it("a taker that fails lets the others go on, and is reported in the end", async () => {
  const rows: number[] = [];
  const fails: RowConsumer = async (_, all) => {
    for await (const { row } of all) if (row === 1) throw new Error("the disk is full");
  };
  const atOnce: RowConsumer = async () => {
    throw new Error("no place");
  };
  const takes: RowConsumer = async (_, all) => {
    for await (const { row } of all) rows.push(row);
  };
  for (const [taker, message] of [[fails, /the disk is full/], [atOnce, /no place/]] as const) {
    rows.length = 0;
    const evaluated = withRowStreams(
      [taker, takes],
      "",
      async (streams) => await streams?.push([0, 1, 2, 3].map(example)),
    );
    await assert.rejects(evaluated, message);
    assert.deepEqual(rows, [0, 1, 2, 3]);
  }
});

it("an evaluation that breaks off is no end of the rows", async () => {
  let seen: unknown;
  const taker: RowConsumer = async (_, all) => {
    try {
      for await (const _row of all);
    } catch (error) {
      seen = error;
      throw error;
    }
  };
  const error = new Error("out of memory");
  const evaluated = withRowStreams([taker], "", async (streams) => {
    await streams?.push([example(0)]);
    throw error;
  });
  await assert.rejects(evaluated, error);
  assert.equal(seen, error);
  assert.equal(await withRowStreams([], "", async (streams) => streams), undefined);
});

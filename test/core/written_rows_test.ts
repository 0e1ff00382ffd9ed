/** Rows behind transforms that cannot be had by their source's index: in bounded memory, and counted right however they are read. */
import assert from "node:assert/strict";
import { it } from "node:test";
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { transformRows } from "../../core/spec/transformed.ts";
import type { Host, Row, Rows, Store } from "../../core/types.ts";
import { memory } from "../../plugins/data/memory.ts";
import { memory as memoryStore } from "../../plugins/stores/memory.ts";
import { hostHere } from "../../runtimes/host/train.ts";

const plain = await hostHere(1);
const ROWS = 40;
const text = "x".repeat(2 ** 20);
const source = memory({ rows: Array.from({ length: ROWS }, (_, i) => ({ i, text })) });

/** How often rows went through. */
let passed = 0;
/** Without every fourth row; numbers as `as` has them. */
const thinned = define({
  kind: "transform",
  name: "thinned",
  schema: v.strictObject({ as: v.optional(v.picklist(["number", "date"]), "number") }),
  create: ({ as }) => ({
    scope: "whole",
    apply: async function* (rows, context) {
      for await (const item of rows) {
        passed++;
        if (item.index % 4 === 0) context.note(item, "dropped", "fourth");
        else yield { ...item, row: as === "date" ? { ...item.row, i: new Date(Number(item.row.i)) } : item.row };
      }
    },
  }),
});

const rest = Array.from({ length: ROWS }, (_, i) => i).filter((i) => i % 4 !== 0);

async function isRight(rows: Rows, number: (row: Row) => unknown = ({ i }) => i): Promise<void> {
  assert.equal(rows.length, rest.length);
  assert.deepEqual(rows.transforms?.map(({ in: before, out, dropped }) => [before, out, dropped]), [
    [ROWS, rest.length, { fourth: 10 }],
  ]);
  assert.equal(rows.transforms?.[0]?.rows.length, 10);
  const [last, first] = await rows.at?.([rest.length - 1, 0]) ?? [];
  assert.deepEqual([first, last].map((row) => number(row ?? {})), [rest[0], rest.at(-1)]);
  await assert.rejects(async () => await rows.at?.([rest.length]), /a row from 0 to 29/);
  const read: unknown[] = [];
  for await (const { row, next } of rows.read({ at: 27 })) read.push([number(row), next.at]);
  assert.deepEqual(read, [[rest[27], 28], [rest[28], 29], [rest[29], 30]]);
}

const opened = async (host: Host, as: "number" | "date" = "number"): Promise<[Rows, number]> => {
  const before = passed;
  const rows = await transformRows(source, [thinned({ as })]).open(host);
  return [rows, passed - before];
};

it("many rows are written down once, with what was done to them, and are not in memory", async () => {
  const cache = await memoryStore().open(plain);
  const [rows, passes] = await opened({ ...plain, cache });
  await isRight(rows);
  // Some until there are too many of them, then all.
  assert.ok(passes > ROWS && passes < 2 * ROWS, String(passes));
  const [again, more] = await opened({ ...plain, cache });
  await isRight(again);
  assert.ok(more < ROWS, "nothing is done to all rows again");
  const names: string[] = [];
  for await (const { key } of cache.list("")) names.push(key.split("/")[0] ?? "");
  assert.ok(names.includes("rows") && names.includes("transforms"));
});

it("without a cache, or one that fails, they are in memory and counted alike", async () => {
  const { cache: _, ...without } = plain;
  const [rows, passes] = await opened(without);
  await isRight(rows);
  assert.equal(passes, ROWS);
  const store = await memoryStore().open(plain);
  const full: Store = {
    ...store,
    put: async (_, bytes) => {
      if (!(bytes instanceof Uint8Array)) { for await (const _ of bytes) break; }
      throw new Error("no space left");
    },
  };
  await isRight((await opened({ ...plain, cache: full }))[0]);
});

it("so are rows that JSON does not hold", async () => {
  const cache = await memoryStore().open(plain);
  const [rows] = await opened({ ...plain, cache }, "date");
  await isRight(rows, ({ i }) => Number(i));
});

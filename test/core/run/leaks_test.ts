/**
 * Rows that are trained on and measured on: counted, told, and refused where they are too many.
 * @module
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { composed } from "../../../runtimes/host/plugin_packages.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { readTasks } from "../../../core/run/read_tasks.ts";
import { leaksBetween } from "../../../core/run/leaks.ts";
import type { Json, Named, Row, TrainingEvent } from "../../../core/types.ts";

const rowsOf = (from: number, count: number): Row[] =>
  Array.from({ length: count }, (_, i) => ({ text: `row number ${from + i}`, label: (from + i) % 2 }));
const memory = (rows: readonly Row[], more = {}) => ({ use: "memory", with: { rows, ...more } });

/** Warnings of leaks that a run's data has. */
async function leaksIn(data: object): Promise<string[]> {
  const spec = { version: 1, model: "attune:base", task: "sequence-classification", adapter: "lora", data };
  const reading = readTasks(await composed(spec as unknown as Named<Json>), await hostHere(1));
  const told: TrainingEvent[] = [];
  for await (const event of reading) told.push(event);
  return told.flatMap((event) => (event.type === "warning" && event.code === "LEAKS" ? [event.message] : []));
}

describe("leaks", () => {
  const train = rowsOf(0, 300);
  const clean = rowsOf(1000, 200);
  const dirty = [...clean.slice(0, 195), ...train.slice(10, 15)];

  it("above a hundredth of the other split refuse the run and name the rows", async () => {
    assert.deepEqual(await leaksIn({ train: memory(train), eval: memory(clean) }), []);
    await assert.rejects(leaksIn({ train: memory(train), eval: memory(dirty) }), {
      code: "REFUSED",
      message: /data: 5 of 200 rows of eval \(2\.5 %\).*train row 10 = eval row 195: "row number 10"/s,
    });
    await assert.rejects(leaksIn({ train: memory(train), test: memory(dirty) }), {
      code: "REFUSED",
      message: /of test/,
    });
  });
  it("are told only below the threshold, of few rows, and within one source", async () => {
    const [told = ""] = await leaksIn({ train: memory(train), eval: memory(dirty), leakThreshold: 0.025 });
    assert.match(told, /5 of 200 rows of eval/);
    assert.match((await leaksIn({ train: memory(train), eval: memory(train.slice(0, 99)) })).join(), /99 of 99/);
    const parts = (split: string) => memory(train, { split });
    assert.match((await leaksIn({ train: parts("train[:200]"), eval: parts("train[100:]") })).join(), /100 of 200/);
    assert.equal((await leaksIn({ train: parts("train[:150]"), eval: parts("train[150:]") })).length, 0);
  });
  it("are rows whose columns are all the same, whatever else stands beside them", async () => {
    const stream = (rows: readonly Row[]) => ({
      [Symbol.asyncIterator]: async function* () {
        for (const row of rows) yield { row };
      },
    });
    const columns = { texts: ["text"], others: ["label"] };
    const other = [{ text: "a", label: "1", id: 7 }, { text: "b", label: 0 }, { text: "a", label: 1 }];
    const leaks = await leaksBetween(
      stream([{ text: "a", label: 1 }, { text: "b", label: 1 }]),
      stream(other),
      columns,
    );
    assert.deepEqual([leaks.rows, leaks.of, leaks.train], [2, 3, 1]);
  });
  it("have a threshold that is a share", async () => {
    await assert.rejects(leaksIn({ train: memory(train), leakThreshold: 2 }), /data\.leakThreshold.*from 0 to 1/);
    await assert.rejects(leaksIn({ train: memory(train), leakTreshold: 0 }), /did you mean "leakThreshold"/);
  });
});

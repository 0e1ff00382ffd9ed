/** Rows that are trained on and measured on: counted, told, and refused where they are too many. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { composed } from "../../../runtimes/host/plugin_packages.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { readTasks } from "../../../core/run/rows/read_tasks.ts";
import { leaksBetween } from "../../../core/run/rows/leaks.ts";
import { jsonBytes } from "../../../core/base/bytes.ts";
import { sha256 } from "../../../core/base/sha256.ts";
import type { Json, Named, Row, Store } from "../../../core/types.ts";
import { memoryStore } from "../../../conformance/tiny/host.ts";
import { collect } from "../../../core/base/collect.ts";

const rowsOf = (from: number, count: number): Row[] =>
  Array.from({ length: count }, (_, i) => ({ text: `row number ${from + i}`, label: (from + i) % 2 }));
const memory = (rows: readonly Row[], more = {}) => ({ use: "memory", with: { rows, ...more } });

/** Warnings of leaks that a run's data has. */
async function leaksIn(data: object, cache?: Store): Promise<string[]> {
  const spec = { version: 1, model: "attune:base", task: "sequence-classification", adapter: "lora", data };
  const host = await hostHere(1);
  const reading = readTasks(await composed(spec as unknown as Named<Json>), { ...host, cache });
  const events = await collect(reading);
  return events.flatMap((event) => (event.type === "warning" && event.code === "LEAKS" ? [event.message] : []));
}

const stream = (rows: readonly Row[]) => ({
  [Symbol.asyncIterator]: async function* () {
    for (const row of rows) yield { row };
  },
});

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
    const columns = { texts: ["text"], others: ["label"] };
    const other = [{ text: "a", label: "1", id: 7 }, { text: "b", label: 0 }, { text: "a", label: 1 }];
    const leaks = await leaksBetween(
      stream([{ text: "a", label: 1 }, { text: "b", label: 1 }]),
      stream(other),
      { columns },
    );
    assert.deepEqual([leaks.rows, leaks.of, leaks.train], [2, 3, 1]);
  });
  it("are the same however small the table is that they are looked up in", async () => {
    const [many, others] = [[...rowsOf(0, 500), ...rowsOf(0, 60)], [
      ...rowsOf(450, 300),
      ...rowsOf(20, 7),
      ...rowsOf(20, 7),
    ]];
    const columns = { texts: ["text"], others: ["label"] };
    const whole = await leaksBetween(stream(many), stream(others), { columns });
    assert.deepEqual([whole.rows, whole.of, whole.train], [64, 314, 64]);
    assert.deepEqual(whole.first.slice(0, 2).map(({ train, other }) => [train, other]), [[20, 300], [21, 301]]);
    for (const atOnce of [200, 16]) {
      assert.deepEqual(await leaksBetween(stream(many), stream(others), { columns, atOnce }), whole);
    }
  });
  it("of many rows are counted once, until rows change", async () => {
    const [many, cache] = [[...rowsOf(0, 300), ...rowsOf(20_000, 9_700)], memoryStore()];
    const warningOf = async (other: readonly Row[]): Promise<string> =>
      (await leaksIn({ train: memory(many), eval: memory(other), leakThreshold: 1 }, cache)).join();
    const keys = async (): Promise<string[]> => {
      return (await collect(cache.list("leaks/"))).map(({ key }) => key);
    };
    assert.match(await warningOf(dirty), /5 of 200 rows/);
    const [key = "", ...none] = await keys();
    assert.deepEqual(none, []);
    // What is said the second time is what was kept.
    const { text: kept } = JSON.parse(new TextDecoder().decode((await cache.get(key))?.bytes));
    const text = JSON.stringify({ ...JSON.parse(kept), rows: 7 });
    await cache.put(key, jsonBytes({ sha256: await sha256(text), text }));
    assert.match(await warningOf(dirty), /7 of 200 rows/);
    assert.match(await warningOf([...dirty.slice(1), rowsOf(77, 1)[0] ?? {}]), /6 of 200 rows/);
    assert.equal((await keys()).length, 2);
    await cache.put(key, jsonBytes({ sha256: "0", text }));
    assert.match(await warningOf(dirty), /5 of 200 rows/);
  });
  it("have a threshold that is a share", async () => {
    await assert.rejects(leaksIn({ train: memory(train), leakThreshold: 2 }), /data\.leakThreshold.*from 0 to 1/);
    await assert.rejects(leaksIn({ train: memory(train), leakTreshold: 0 }), /did you mean "leakThreshold"/);
  });
});

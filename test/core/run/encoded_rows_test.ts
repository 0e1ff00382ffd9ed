/** Rows that are encoded as they are needed, beside the same rows encoded all at once. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { compose } from "../../../core/spec/compose.ts";
import { encodeRows } from "../../../core/run/rows/data.ts";
import { allSamples, inOrder } from "../../../core/run/rows/encoded_rows.ts";
import { type OpenRun, openRun } from "../../../core/run/open/open.ts";
import { seekable } from "../../../core/data/seekable.ts";
import type { SeekableRows } from "../../../core/data/seekable_rows.ts";
import { checkpointsIn } from "../../../core/run/checkpoints/checkpoints.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import { AttuneError } from "../../../core/base/errors.ts";
import type { Dataset, Json, Named, Row, Run, RunSpec, Store, TrainingEvent } from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory as memoryStore } from "../../../plugins/stores/memory.ts";
import { directoryStore } from "../../../runtimes/host/directory_store.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { tinyHost, tinySpec } from "../../tiny.ts";
import { collect } from "../../../core/base/collect.ts";

/** More rows than are looked at before the first step; the longest stand far behind the first. */
const COUNT = 12_000;
const lengthOf = (i: number): number => (i % 1000 === 777 ? 30 : 16 + (i % 9));
const rowOf = (i: number): Row => ({
  input_ids: Array.from({ length: lengthOf(i) }, (_, k) => 5 + ((i + k) % 20)),
  labels: i % 2,
});

type Counted = Readonly<{ dataset: Dataset; read: () => number; byIndex: () => number }>;

/** Rows that are made when they are asked for, and are counted then. */
function countedRows(change: (row: Row, i: number) => Row = (row) => row, seeks = true): Counted {
  let [read, byIndex] = [0, 0];
  const dataset: Dataset = {
    kind: "data",
    name: "counted",
    options: {},
    open: async () => ({
      ...(seeks ? { length: COUNT } : {}),
      fingerprint: "0".repeat(64),
      read: async function* (from) {
        for (let i = from?.at ?? 0; i < COUNT; i++) {
          read++;
          yield { row: change(rowOf(i), i), next: { at: i + 1 }, where: `made, row ${i}` };
        }
      },
      where: async (i) => `made, row ${i}`,
      ...(seeks
        ? {
          at: async (indices) => {
            byIndex += indices.length;
            return indices.map((i) => change(rowOf(i), i));
          },
        }
        : {}),
    }),
  };
  return { dataset, read: () => read, byIndex: () => byIndex };
}

/** A run over these rows for both splits. */
async function composed(dataset: Dataset, training: Named<Json>, evalRows?: Dataset): Promise<Run> {
  const spec = { ...tinySpec({ training }), adapter: { use: "lora", with: { r: 2 } } };
  const run = compose(spec as unknown as RunSpec, catalog);
  return { ...run, data: evalRows ? { train: dataset, eval: evalRows } : { train: dataset } };
}

async function opened(dataset: Dataset): Promise<OpenRun> {
  return await openRun(await composed(dataset, {}), tinyHost(await hostHere(1)));
}

async function eventsOf(run: Run): Promise<TrainingEvent[]> {
  return await collect(trainRun(run, tinyHost(await hostHere(1)), {}));
}

describe("rows of a large data set", () => {
  it("are looked at in part, and by their place are what they are when all are encoded", async () => {
    const { dataset, read, byIndex } = countedRows();
    const open = await opened(dataset);
    const rows = await encodeRows(open, dataset, true);
    assert.equal(rows.count, COUNT);
    assert.ok(read() < 8000, `${read()} rows read`);
    assert.ok(rows.looked.total >= 2 ** 17 && rows.looked.count < 8000, `${rows.looked.count} looked at`);
    const places = [COUNT - 1, 0, 9777, 9777, 41];
    const some = await rows.samples(places);
    assert.ok(byIndex() <= 3, `${byIndex()} rows by their place`);
    const all = await allSamples(rows);
    assert.deepEqual(some, places.map((place) => all[place]));
    all.forEach(({ row, sequences }, i) => assert.deepEqual([row, sequences[0]?.length], [i, lengthOf(i)]));
    const sizes = await rows.sizes();
    assert.deepEqual([sizes.count, sizes.total], [COUNT, all.reduce((n, _, i) => n + lengthOf(i), 0)]);
    assert.deepEqual(await rows.largest(3), [777, 1777, 2777]);
  });
  it("are had from streams, too", async () => {
    const { dataset } = countedRows((row) => row, false);
    const rows = await encodeRows(await opened(dataset), dataset, true);
    let i = 0;
    for await (const { row, sequences } of inOrder(rows)) {
      assert.deepEqual([row, sequences[0]?.length], [i, lengthOf(i)]);
      i++;
    }
    assert.equal(i, COUNT);
  });
  it("that are not as the task wants them say where they stand, when they are reached", async () => {
    const broken = countedRows((row, i) => (i === 11_111 ? { ...row, labels: 9 } : row));
    const rows = await encodeRows(await opened(broken.dataset), broken.dataset, true);
    await assert.rejects(rows.samples([3, 11_111]), /made, row 11111: .*9/);
    await assert.rejects(allSamples(rows), /made, row 11111/);
    await assert.rejects(rows.samples([COUNT]), /a sample from 0 to 11999/);
    const early = countedRows((row, i) => (i === 5 ? { ...row, labels: 9 } : row));
    await assert.rejects(encodeRows(await opened(early.dataset), early.dataset, true), /made, row 5: .*9/);
  });
  it("train as a stream of them does, whose rows are all in memory", async () => {
    const training = { maxSteps: 6, perDeviceTrainBatchSize: 4, gradientAccumulationSteps: 2, seed: 7 };
    for (const trainSamplingStrategy of ["random", "sequential", "group_by_length"]) {
      const [seeking, streamed] = [countedRows(), countedRows((row) => row, false)];
      const losses = async ({ dataset }: Counted): Promise<number[]> =>
        (await eventsOf(await composed(dataset, { ...training, trainSamplingStrategy })))
          .flatMap((event) => (event.type === "step" ? [event.loss, event.gradNorm ?? NaN] : []));
      const read = await losses(seeking);
      assert.equal(read.length, 12);
      assert.deepEqual(read, await losses(streamed), trainSamplingStrategy);
      // Eight samples a step, the ones after the next not yet.
      if (trainSamplingStrategy !== "group_by_length") assert.ok(seeking.byIndex() < 400, `${seeking.byIndex()}`);
    }
  });
});

it("a run goes on as soon late in an epoch as early: with the rows of its next steps, and no other", async () => {
  const output = await memoryStore().open(await hostHere(1));
  const training = { maxSteps: 3000, perDeviceTrainBatchSize: 4, saveStrategy: "steps", saveSteps: 1, seed: 7 };
  /** Rows that are read until an event comes. */
  const until = async (type: TrainingEvent["type"], resume: boolean) => {
    const { dataset, read, byIndex } = countedRows();
    const run = await composed(dataset, training);
    const events = trainRun(run, tinyHost(await hostHere(1)), { output, resume });
    for await (const event of events) {
      if (event.type === type) return { step: event.step, read: read(), byIndex: byIndex() };
    }
    throw new Error(`no ${type}`);
  };
  await until("checkpoint", false);
  const { saved } = await checkpointsIn(output).newest();
  assert.equal(saved?.state.step, 1);
  const rows = [];
  // What a step reads follows from its number alone: the same state, said to be that of another step.
  for (const step of [1, 2700]) {
    if (saved) await checkpointsIn(output, 1).save({ ...saved, state: { ...saved.state, step } });
    rows.push(await until("step", true));
  }
  const [early, late] = rows;
  assert.deepEqual([early?.step, late?.step], [2, 2701]);
  assert.equal(late?.read, early?.read);
  // The longest, and steps that are asked for ahead: how many of these, the time says that the first one takes.
  for (const { byIndex } of rows) assert.ok(byIndex < 600, `${byIndex} rows by their place`);
});

describe("sizes of many samples", () => {
  const folder = mkdtempSync(join(tmpdir(), "attune-sizes-"));
  after(() => rmSync(folder, { recursive: true }));
  it("are found once: the next run has them from the cache, and others where anything is another", async () => {
    const encode = async (change: Readonly<{ training?: Named<Json>; oneEach?: boolean }> = {}) => {
      const { dataset, read } = countedRows();
      const host = { ...tinyHost(await hostHere(1)), cache: directoryStore(folder) };
      const open = await openRun(await composed(dataset, change.training ?? {}), host);
      const { oneEach = true } = change;
      const rows = await encodeRows({ ...open, collator: { ...open.collator, oneEach } }, dataset, true);
      const sizes = await rows.sizes();
      const figures = [
        sizes.count,
        sizes.total,
        sizes.unlabelled,
        sizes.tokens(777),
        sizes.row(9000),
        sizes.firstOf(41),
      ];
      return { figures, read: read(), largest: await rows.largest(2), last: await rows.samples([COUNT - 1]) };
    };
    const first = await encode();
    const total = Array.from({ length: COUNT }, (_, i) => lengthOf(i)).reduce((a, b) => a + b);
    assert.deepEqual(first.figures, [COUNT, total, 0, 30, 9000, 41]);
    assert.ok(first.read >= COUNT);
    const again = await encode();
    assert.deepEqual({ ...again, read: 0 }, { ...first, read: 0 });
    assert.ok(again.read < 8000, `${again.read} rows read`);
    // Where a row may be several samples it is the only pass over all of them.
    const counted = await encode({ oneEach: false });
    assert.deepEqual([counted.figures, counted.read], [first.figures, 0]);
    assert.ok((await encode({ training: { maxLength: 20 } })).read >= COUNT);
    const [name = ""] = readdirSync(join(folder, "sizes"));
    for (const other of readdirSync(join(folder, "sizes"))) {
      writeFileSync(join(folder, "sizes", other), readFileSync(join(folder, "sizes", name)).subarray(0, 5000));
    }
    assert.deepEqual({ ...await encode(), read: 0 }, { ...first, read: 0 });
  });
});

describe("samples that are dear to encode", () => {
  const folder = mkdtempSync(join(tmpdir(), "attune-dear-"));
  after(() => rmSync(folder, { recursive: true }));
  it("are kept on disk where memory has no room, if they pass again in this run or one before had them", async (t) => {
    // Every look at the clock is 0.6 milliseconds behind the one before.
    let now = 0;
    t.mock.method(performance, "now", () => now += 0.6);
    let encoded = 0;
    const open = async (passes: number, seed = 7) => {
      const { dataset } = countedRows();
      const host = { ...tinyHost(await hostHere(1)), cache: directoryStore(folder) };
      const run = await openRun(await composed(dataset, { seed }), host);
      const encode: typeof run.collator.encode = (row, index, context) => {
        encoded++;
        // So large that some thousand are more than memory keeps.
        const notes = { axis: "sample", size: 3000, padValue: 0, data: new Float32Array(3000).fill(index) } as const;
        return run.collator.encode(row, index, context).map((sample) => ({
          ...sample,
          targets: { ...sample.targets, notes },
        }));
      };
      return await encodeRows({ ...run, collator: { ...run.collator, encode } }, dataset, true, {
        passes: () => passes,
      });
    };
    const places = Array.from({ length: 900 }, (_, i) => COUNT - 1 - 3 * i);
    const encodedBy = async (rows: Awaited<ReturnType<typeof open>>): Promise<number> => {
      const before = encoded;
      const samples = await rows.samples(places);
      samples.forEach(({ row, targets }, i) =>
        assert.deepEqual([row, targets.notes?.data[2999]], [places[i], places[i]])
      );
      return encoded - before;
    };
    const once = await open(1);
    assert.deepEqual([await encodedBy(once), await encodedBy(once)], [900, 900]);
    const twice = await open(2, 8);
    assert.deepEqual([await encodedBy(twice), await encodedBy(twice)], [900, 0]);
    const again = await open(1);
    assert.deepEqual([await encodedBy(again), await encodedBy(again)], [900, 0]);
    // Blocks are written beside all else; behind a run's end all are there.
    await again.close?.();
    // Those by which it is seen that they are the same, and no other.
    assert.equal(await encodedBy(await open(1)), 32);
  });
});

describe("rows of a large stream", () => {
  const folder = mkdtempSync(join(tmpdir(), "attune-spooled-"));
  after(() => rmSync(folder, { recursive: true }));
  const cacheIn = (name: string): Store => directoryStore(join(folder, name));
  const opening = async (cache: Store | undefined, change?: (row: Row, i: number) => Row) => {
    const { dataset, read } = countedRows(change, false);
    const host = { ...tinyHost(await hostHere(1)), ...(cache ? { cache } : {}) };
    return { rows: await seekable(await dataset.open(host), host, 100_000), read };
  };
  const same = async (rows: SeekableRows): Promise<void> => {
    const numbers = [COUNT - 1, 0, 777];
    assert.deepEqual(await rows.at(numbers), numbers.map(rowOf));
    assert.equal(rows.length, COUNT);
    assert.equal(await rows.where?.(41), "made, row 41");
    let number = 11_000;
    for await (const { row, where, next } of rows.read({ at: number })) {
      assert.deepEqual([row, where, next.at], [rowOf(number), `made, row ${number}`, number + 1]);
      number++;
    }
    assert.equal(number, COUNT);
  };
  it("are written down once, and had by their number in this process and the next", async () => {
    const cache = cacheIn("one");
    const first = await opening(cache);
    await same(first.rows);
    const again = await opening(cache);
    assert.ok(again.read() < 3000 && first.read() >= COUNT, `${first.read()} rows read, then ${again.read()}`);
    await same(again.rows);
  });
  it("are right whatever became of what was written, and in memory where there is no room", async () => {
    const cache = cacheIn("two");
    await opening(cache);
    const [name = ""] = readdirSync(join(folder, "two", "rows"));
    const path = join(folder, "two", "rows", name);
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, bytes.length / 2));
    await same((await opening(cache)).rows);
    bytes[5000] = 65;
    writeFileSync(path, bytes);
    await same((await opening(cache)).rows);
    rmSync(join(folder, "two", "spooled"), { recursive: true });
    await same((await opening(cache)).rows);
    const full = async (): Promise<never> => {
      throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
    };
    const { rows } = await opening({ ...cache, get: full, put: full });
    assert.deepEqual(await rows.at([5]), [rowOf(5)]);
  });
  it("that JSON cannot hold stay as they are, and those that fail say so", async () => {
    const odd = await opening(cacheIn("three"), (row, i) => (i === 9000 ? { ...row, at: new Date(0) } : row));
    assert.deepEqual(await odd.rows.at([9000]), [{ ...rowOf(9000), at: new Date(0) }]);
    const fails = opening(cacheIn("four"), (row, i) => {
      if (i === 9000) throw new AttuneError("row 9000 is broken", { code: "BAD_VALUE", plugin: "made" });
      return row;
    });
    await assert.rejects(fails, /row 9000 is broken/);
  });
});

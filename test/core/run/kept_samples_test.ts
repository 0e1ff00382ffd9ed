/** Encoded samples on disk: later passes and runs read them back, whatever has happened to the files meanwhile. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { inOrder, inspectRows } from "../../../core/run/rows/encoded_rows.ts";
import type { RowEncoder } from "../../../core/run/rows/encoding.ts";
import { type KeptOptions, openKeptSamples } from "../../../core/run/rows/kept_samples.ts";
import type { Row, Sample, Store } from "../../../core/types.ts";
import { directoryStore } from "../../../runtimes/host/directory_store.ts";

const COUNT = 500;
const folder = mkdtempSync(join(tmpdir(), "attune-kept-"));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const rowOf = (i: number): Row => ({ i });
/** A sample with numbers of both kinds, of many lengths, and with all that may stand beside them. */
const sampleOf = (i: number, first = 0): Sample => ({
  row: i,
  weight: i % 3,
  metadata: { text: `row ${i} – „ü“`, at: [i, null] },
  sequences: Array.from({ length: 1 + (i % 2) }, (_, k) => ({
    length: 1 + (i % 40),
    fields: {
      input_ids: {
        axis: "token",
        data: Int32Array.from({ length: 1 + (i % 40) }, (_, t) => first + i + t + k),
        padValue: 1,
      },
    },
  })),
  targets: { scores: { axis: "sample", size: 2, padValue: 0, data: Float32Array.of(i / 7, NaN) } },
});

type Asked = Readonly<
  { first?: number; redraws?: boolean; perRow?: number; later?: boolean; sample?: (i: number) => Sample }
>;

/** Rows whose encoding is counted. */
async function rowsOver(cache: Store, asked: Asked = {}, options: Partial<KeptOptions> = {}) {
  const { first = 0, redraws = false, perRow = 1, later = false, sample = (i) => sampleOf(i, first) } = asked;
  let encoded = 0;
  const encoder: RowEncoder = {
    encode: (_, number) => {
      encoded++;
      return Array.from({ length: perRow }, () => sample(number));
    },
    finish: (sample, place, epoch) => (redraws ? { ...sample, weight: place + epoch } : sample),
    redraws,
  };
  const rows = await inspectRows({
    source: {
      length: COUNT,
      fingerprint: "f",
      read: async function* () {
        for (let i = 0; i < COUNT; i++) yield { row: rowOf(i), next: { at: i + 1 } };
      },
      at: async (numbers) => numbers.map(rowOf),
    },
    encoder,
    labelled: true,
    oneEach: perRow === 1,
    keeping: {
      open: async (isAgain) =>
        later && !isAgain
          ? undefined
          : await openKeptSamples({ cache, parts: ["rows"], blockBytes: 2 ** 14, ...options }),
      rows: COUNT,
      dear: 0,
      memoryBytes: 0,
    },
  });
  return { rows, encoded: () => encoded };
}

type Rows = Awaited<ReturnType<typeof rowsOver>>;

/** All samples, in an order that is no file's. */
async function passed({ rows }: Rows, epoch = 0): Promise<Sample[]> {
  const samples: Sample[] = [];
  for (let start = 0; start < rows.count; start += 16) {
    const places = Array.from(
      { length: Math.min(16, rows.count - start) },
      (_, i) => (start + i) * 7919 % rows.count,
    );
    const some = await rows.samples(places, epoch);
    places.forEach((place, i) => {
      samples[place] = some[i] as Sample;
    });
  }
  return samples;
}

const files = (): string[] =>
  (existsSync(folder) ? readdirSync(folder, { recursive: true }) : []).map((name) => join(folder, String(name)))
    .filter((path) => statSync(path).isFile());

const truth = Array.from({ length: COUNT }, (_, i) => sampleOf(i));

describe("encoded samples on disk", () => {
  it("are encoded once: the next pass and the next run read them", async () => {
    const first = await rowsOver(directoryStore(folder));
    assert.deepEqual(await passed(first), truth);
    const once = first.encoded();
    assert.ok(once <= COUNT, `${once}`);
    assert.deepEqual(await passed(first), truth);
    assert.equal(first.encoded(), once);
    assert.ok(files().length > 3, `${files().length} blocks`);
    const next = await rowsOver(directoryStore(folder));
    const looked = next.encoded();
    assert.deepEqual(await passed(next), truth);
    // Those by which it was seen that the samples are the same.
    assert.ok(next.encoded() - looked <= 32, `${next.encoded() - looked}`);
  });
  it("are kept from the second pass on where nobody has foretold it", async () => {
    const rows = await rowsOver(directoryStore(folder), { later: true });
    const times: number[] = [];
    for (let pass = 0; pass < 4; pass++) {
      const before = rows.encoded();
      assert.deepEqual(await passed(rows), truth);
      times.push(rows.encoded() - before);
    }
    // All were encoded once before, when they were looked at.
    assert.deepEqual(times, [COUNT, 0, 0, 0]);
  });
  it("serve rows of several samples, and those of which something is drawn anew", async () => {
    for (const asked of [{ perRow: 2 }, { redraws: true }, { perRow: 3, redraws: true }]) {
      rmSync(folder, { recursive: true, force: true });
      const drawn = (samples: readonly Sample[], epoch: number): Sample[] =>
        samples.map((sample, place) => (asked.redraws ? { ...sample, weight: place + epoch } : sample));
      const all = truth.flatMap((own) => Array.from({ length: asked.perRow ?? 1 }, () => own));
      const first = await rowsOver(directoryStore(folder), asked);
      assert.deepEqual(await passed(first, 0), drawn(all, 0));
      const once = first.encoded();
      assert.deepEqual(await passed(first, 3), drawn(all, 3));
      assert.equal(first.encoded(), once);
    }
  });
  it("are those of this run where a collator has changed under its name", async () => {
    await passed(await rowsOver(directoryStore(folder)));
    const changed = await rowsOver(directoryStore(folder), { first: 5 });
    assert.deepEqual(await passed(changed), truth.map((_, i) => sampleOf(i, 5)));
    const next = await rowsOver(directoryStore(folder), { first: 5 });
    const looked = next.encoded();
    assert.deepEqual(await passed(next), truth.map((_, i) => sampleOf(i, 5)));
    assert.ok(next.encoded() - looked <= 32);
  });
  it("are encoded again where files were cut, torn, zeroed, swapped or removed", async () => {
    await passed(await rowsOver(directoryStore(folder)));
    const whole = files().map((path) => ({ path, bytes: new Uint8Array(readFileSync(path)) }));
    const harm: ((bytes: Uint8Array, i: number) => Uint8Array)[] = [
      (bytes, i) => bytes.subarray(0, Math.floor(bytes.length * (i + 1) / (whole.length + 1))),
      (bytes) => bytes.map((byte, at) => (at % 977 === 3 ? byte ^ 4 : byte)),
      (bytes) => bytes.map((byte, at) => (at >= bytes.length / 2 ? 0 : byte)),
      (bytes) => bytes.map((byte, at) => (at < bytes.length / 3 ? 255 : byte)),
      (_, i) => whole[(i + 1) % whole.length]?.bytes as Uint8Array,
      () => new Uint8Array(0),
    ];
    for (const change of harm) {
      whole.forEach(({ path, bytes }, i) => writeFileSync(path, change(bytes, i)));
      assert.deepEqual(await passed(await rowsOver(directoryStore(folder))), truth);
    }
    whole.forEach(({ path, bytes }) => writeFileSync(path, bytes));
    const open = await rowsOver(directoryStore(folder));
    await open.rows.samples([5]);
    rmSync(folder, { recursive: true });
    assert.deepEqual(await passed(open), truth);
  });
  it("take no more than they may, and end where the disk does", async () => {
    await passed(await rowsOver(directoryStore(folder), {}, { mostBytes: 2 ** 16 }));
    const bytes = files().reduce((n, path) => n + statSync(path).size, 0);
    assert.ok(bytes > 2 ** 14 && bytes < 2 ** 16 * 1.1, `${bytes}`);
    let puts = 0;
    const full: Store = {
      ...directoryStore(join(folder, "full")),
      put: async () => {
        puts++;
        throw new Error("ENOSPC");
      },
    };
    const rows = await rowsOver(full);
    assert.deepEqual(await passed(rows), truth);
    assert.deepEqual(await passed(rows), truth);
    assert.ok(puts <= 2, `${puts} puts`);
  });
  it("are not kept where they hold what JSON cannot", async () => {
    const sample = (i: number): Sample => ({ ...sampleOf(i), metadata: new Map([[i, i]]) });
    const rows = await rowsOver(directoryStore(folder), { sample });
    const all: Sample[] = [];
    for (let pass = 0; pass < 2; pass++) for await (const own of inOrder(rows.rows)) all.push(own);
    assert.deepEqual(all.slice(COUNT), truth.map((_, i) => sample(i)));
    assert.deepEqual(files(), []);
  });
  it("of two runs at the same time are each other's", async () => {
    const both = await Promise.all([rowsOver(directoryStore(folder)), rowsOver(directoryStore(folder))]);
    for (const samples of await Promise.all(both.map((own) => passed(own)))) assert.deepEqual(samples, truth);
    const next = await rowsOver(directoryStore(folder));
    const looked = next.encoded();
    assert.deepEqual(await passed(next), truth);
    assert.ok(next.encoded() - looked <= 32);
  });
});

/**
 * Rows that are encoded in a thread beside the training step: the same samples, the same errors, and nothing on the run's own
 * thread.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { besideThread, type EncodingHere } from "../../../core/run/rows/beside.ts";
import { encoderFacts, rowEncoderOf } from "../../../core/run/rows/encoding.ts";
import { inspectRows } from "../../../core/run/rows/encoded_rows.ts";
import { openRun } from "../../../core/run/open/open.ts";
import { packSamples, unpackSamples } from "../../../core/run/rows/packed_samples.ts";
import { trainRun } from "../../../core/run/train/train.ts";
import { compose } from "../../../core/spec/compose.ts";
import { reference } from "../../../core/spec/to_spec.ts";
import { seekable } from "../../../core/data/seekable.ts";
import type {
  EncoderThread,
  Host,
  Named,
  Row,
  Run,
  RunSpec,
  Sample,
  Tokenizer,
  TrainingEvent,
} from "../../../core/types.ts";
import { catalog } from "../../../plugins/catalog.ts";
import { memory } from "../../../plugins/data/memory.ts";
import { startEncoderThread } from "../../../runtimes/host/encoder_thread.ts";
import { hostHere } from "../../../runtimes/host/train.ts";

const words = "the a film phone food service was is not very good bad nice awful great poor slow fast and but".split(
  " ",
);

/** More tokens than are looked at before the first step: the steps come to rows that nobody has encoded. */
const COUNT = 9000;
const rows: Row[] = Array.from({ length: COUNT }, (_, i) => ({
  text: `${Array.from({ length: 14 + i % 40 }, (_, k) => words[(i * 7 + k * k) % words.length]).join(" ")} ${i}`,
  label: i % 2 ? "good" : "bad",
  weight: 1 + i % 3,
}));

const task = { use: "sequence-classification", with: { labels: ["bad", "good"] } };

function composed(change: Named<unknown> = {}, of: readonly Row[] = rows): Run {
  return compose({
    version: 1,
    model: "attune:base",
    task,
    data: { train: memory({ rows: of }) },
    adapter: { use: "lora", with: { r: 2, targetModules: ["query"] } },
    training: { maxSteps: 30, perDeviceTrainBatchSize: 8, maxLength: 64, seed: 5 },
    ...change,
  } as unknown as RunSpec, catalog);
}

/** A run whose tokenizer counts the texts that are encoded on this thread. */
function counted(run: Run): Readonly<{ run: Run; texts: () => number }> {
  let texts = 0;
  const count = (tokenizer: Tokenizer): Tokenizer => ({
    ...tokenizer,
    encode: (...given) => {
      texts++;
      return tokenizer.encode(...given);
    },
  });
  const tokenizer = { ...run.tokenizer, open: async (files: never) => count(await run.tokenizer.open(files)) };
  return { run: { ...run, tokenizer }, texts: () => texts };
}

/** Rows of a run with a thread from the first batch on. */
async function withThread(
  run: Run,
  host: Host,
  start: () => Promise<EncoderThread | undefined>,
  of: readonly Row[] = rows,
) {
  const open = await openRun(run, host);
  const facts = encoderFacts(open, true, undefined, of[0]);
  const limits = { before: 0, watched: 0, share: -1, remaining: 0, sent: Infinity };
  return await inspectRows({
    source: await seekable(await memory({ rows: of }).open(host), host),
    encoder: rowEncoderOf(facts, open),
    labelled: true,
    oneEach: open.collator.oneEach ?? false,
    beside: besideThread(start, limits),
    keeping: { open: async () => undefined, rows: of.length, memoryBytes: 0 },
  });
}

const jobOf = async (run: Run, host: Host, first: Row | undefined = rows[0]) => {
  const open = await openRun(run, host);
  return {
    model: reference(run.model),
    tokenizer: reference(run.tokenizer),
    collator: reference(open.collator),
    plugins: [],
    facts: encoderFacts(open, true, undefined, first),
  };
};

/** Batches of places, as steps ask for them. */
const batches = Array.from({ length: 12 }, (_, n) => Array.from({ length: 8 }, (_, k) => (n * 811 + k * 1009) % COUNT));

describe("encoding in a thread", () => {
  it("gives the same samples to the bit, none of which this thread encodes once it has begun", async () => {
    const host = await hostHere(1);
    for (const change of [{}, { task: { use: "masked-lm" }, adapter: undefined }]) {
      const { run, texts } = counted(composed(change));
      let thread: EncoderThread | undefined;
      const job = await jobOf(run, host);
      const started = await startEncoderThread(job);
      const beside = await withThread(run, host, async () => thread = started);
      const here = await withThread(run, host, async () => undefined);
      // One is measured, and the next one starts it.
      for (const places of batches.slice(0, 2)) await beside.samples(places, 0);
      const before = texts();
      const samples: (readonly Sample[])[] = [];
      for (const places of batches) samples.push(await beside.samples(places, 2));
      assert.ok(thread);
      assert.equal(texts(), before, JSON.stringify(change));
      for (const [i, places] of batches.entries()) assert.deepEqual(samples[i], await here.samples(places, 2));
      assert.ok(texts() > before);
      await beside.close?.();
    }
  });
  it("says what is wrong with a row as it is said without one, and goes on where the thread has ended", async () => {
    const host = await hostHere(1);
    const wrong = rows.map((row, i) => (i === 8500 ? { ...row, label: "fine" } : row));
    const run = composed({}, wrong);
    const started = await startEncoderThread(await jobOf(run, host));
    const beside = await withThread(run, host, async () => started, wrong);
    const here = await withThread(run, host, async () => undefined, wrong);
    for (const place of [8000, 8001]) await beside.samples([place], 0);
    const errorOf = async (asked: Promise<unknown>): Promise<unknown> => await asked.then(() => "none", String);
    const said = await errorOf(here.samples([8500, 8501], 0));
    assert.match(String(said), /fine/);
    assert.equal(await errorOf(beside.samples([8500, 8501], 0)), said);
    const pending = beside.samples([8100, 8101], 0);
    await started.close();
    assert.deepEqual(await pending, await here.samples([8100, 8101], 0));
    assert.deepEqual(await beside.samples([8102], 0), await here.samples([8102], 0));
    await beside.close?.();
  });
  it("does not begin where a part of the run cannot go there", async () => {
    const host = await hostHere(1);
    const job = await jobOf(composed(), host);
    await assert.rejects(startEncoderThread({ ...job, collator: { use: "no-such" } }), /cannot have/);
    await assert.rejects(startEncoderThread({ ...job, model: { use: "pretrained", with: { path: "/no/such" } } }));
    await assert.rejects(startEncoderThread({ ...job, facts: () => {} }), /clone/i);
  });
  it("leaves a run's losses as they are", async () => {
    const losses = async (host: Host): Promise<number[]> => {
      const lengths: number[] = [];
      for await (const event of trainRun(composed(), host, {}) as AsyncIterable<TrainingEvent>) {
        if (event.type === "step") lengths.push(event.loss, event.gradNorm ?? NaN);
      }
      return lengths;
    };
    const host = await hostHere(1);
    const { startEncoder: _, ...without } = host;
    assert.deepEqual(await losses(host), await losses(without));
  });
});

describe("whether rows are encoded in a thread", () => {
  const limits = { before: 2, watched: 0, share: 0.02, remaining: 1000, sent: 2 };
  const thread = (log: string[]): EncoderThread => ({
    tokenizer: "",
    encode: async (rows) => {
      log.push(`encoded ${rows.length}`);
      return rows.map(() => packSamples([]));
    },
    close: async () => void log.push("closed"),
  });
  const asked = async (heres: readonly EncodingHere[], change: Partial<typeof limits> = {}, row: Row = {}) => {
    const log: string[] = [];
    const beside = besideThread(async () => thread(log), { ...limits, ...change });
    for (const here of heres) {
      if (!await beside.encode([row], [0], here)) log.push("here");
      await new Promise((resolve) => setImmediate(resolve));
    }
    await beside.close();
    return log;
  };
  const dear = (elapsed: number): EncodingHere => ({ elapsed, encoded: 1, remaining: 1e6 });
  it("is decided by what encoding takes of the steps and what is left of it, once some have passed", async () => {
    assert.deepEqual(await asked([1e6, 2e6, 3e6, 4e6, 5e6, 6e6, 7e6].map(dear)), [
      "here",
      "here",
      "here",
      "here",
      "encoded 1",
      "encoded 1",
      "encoded 1",
      "closed",
    ]);
    // Nothing was encoded since it was watched, as where all samples are kept.
    assert.deepEqual(await asked([1, 1, 1, 1, 1].map(dear), { share: 1e-6 }), Array(5).fill("here"));
    // Little is left.
    assert.deepEqual(await asked([1, 2, 3, 4, 5].map((n) => ({ ...dear(n), remaining: 10 }))), Array(5).fill("here"));
  });
  it("is decided again by what sending takes", async () => {
    const cheap = (elapsed: number): EncodingHere => ({ elapsed, encoded: 1e12, remaining: 1e18 });
    const log = await asked([1e6, 2e6, 3e6, 4e6, 5e6, 6e6, 7e6].map(cheap), { remaining: 0 });
    assert.deepEqual(log, ["here", "here", "here", "here", "encoded 1", "encoded 1", "closed", "here"]);
  });
  it("is not, of rows that would be others there", async () => {
    const part = new Uint8Array(8).subarray(2);
    for (const value of [new Date(0), () => 1, new Map(), Symbol("s"), part, [new (class Odd {})()]]) {
      const log = await asked([1e6, 2e6, 3e6, 4e6, 5e6].map(dear), {}, { value });
      assert.deepEqual(log, [...Array(5).fill("here"), "closed"], String(value));
    }
  });
  it("takes samples from one thread to the other whole", () => {
    const field = (data: Float32Array | Int32Array) => ({ axis: "token" as const, data, padValue: 0 });
    const samples: Sample[] = [
      {
        sequences: [{
          length: 2,
          weight: 0.5,
          fields: { input_ids: field(Int32Array.of(1, -2)), x: field(Float32Array.of(NaN, -0)) },
        }],
        targets: { labels: { ...field(Int32Array.of(-100)), ignoreIndex: -100, axis: "sample" } },
        row: 3,
        weight: 1 / 3,
        metadata: { offsets: [0, 1], none: undefined },
      },
      { sequences: [], targets: {}, row: 4 },
    ];
    assert.deepEqual(unpackSamples(structuredClone(packSamples(samples))), samples);
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createRandom } from "../../../core/math/random.ts";
import { lineCheck } from "../../../core/jobs/json_lines.ts";
import { type Jobs, jobsIn } from "../../../core/jobs/jobs.ts";
import {
  addCheckpoint,
  commitLease,
  type JobRecord,
  queueJob,
  releaseLease,
  renewLease,
  requestStop,
} from "../../../core/jobs/record.ts";
import { storeQueue } from "../../../core/jobs/store_queue.ts";
import type { Store } from "../../../core/types.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";

const host = await hostHere(1);
const result = { folder: "r/", files: ["adapter/adapter_model.safetensors"], metrics: { loss: 0.5 } };

async function setUp(): Promise<{ jobs: Jobs; store: Store; clock: { now: number } }> {
  const store = await memory().open(host);
  const clock = { now: 0 };
  const options = { now: () => clock.now, time: () => clock.now / 1000, leaseSeconds: 30, maxAttempts: 3 };
  return { jobs: jobsIn({ store, queue: storeQueue(store, () => clock.now), ...options }), store, clock };
}
async function ready(jobs: Jobs): Promise<JobRecord> {
  const { id } = await jobs.create("t", { model: "m" }, {});
  const done = await jobs.change(id, (r) => queueJob(r, { needs: r.needs, estimate: {} }));
  if (!done) throw new Error("no job");
  return done.record;
}
const checkpoint = (step: number) => ({ id: `c${step}`, folder: `f${step}/`, files: ["a"], step, at: 0, metrics: {} });

describe("jobs", () => {
  it("are given to one runner, which commits once", async () => {
    const { jobs } = await setUp();
    const { id } = await ready(jobs);
    const both = await Promise.all([jobs.lease("a", () => true), jobs.lease("b", () => true)]);
    const [job] = both.filter((j) => j !== undefined);
    assert.equal(both.filter((j) => j !== undefined).length, 1);
    assert.deepEqual([job?.id, job?.token, job?.status], [id, 1, "running"]);
    assert.equal((await jobs.change(id, (r) => commitLease(r, 2, result, 0)))?.refused, "stale");
    for (let i = 0; i < 2; i++) {
      const done = await jobs.change(id, (r) => commitLease(r, 1, result, 9));
      assert.deepEqual([done?.record.status, done?.refused], ["succeeded", undefined]);
    }
    assert.equal((await jobs.change(id, (r) => requestStop(r, "cancel", 0)))?.refused, "status");
  });

  it("go to another runner when one gives no sign of life, and the first is told so", async () => {
    const { jobs, clock } = await setUp();
    const { id } = await ready(jobs);
    await jobs.lease("a", () => true);
    for (let t = 0; t <= 60; t += 10) {
      clock.now = 1000 * t;
      if (t <= 20) await jobs.change(id, (r) => renewLease(r, 1, t, 100 * t));
      if (t === 20) await jobs.change(id, (r) => addCheckpoint(r, 1, checkpoint(20)));
      await jobs.watch();
    }
    const job = await jobs.lease("b", () => true);
    assert.deepEqual([job?.token, job?.checkpoints.at(-1)?.step, job?.trainedTokens], [2, 20, 2000]);
    assert.equal((await jobs.change(id, (r) => renewLease(r, 1, 30, 0)))?.refused, "stale");
    assert.equal((await jobs.change(id, (r) => commitLease(r, 1, result, 0)))?.refused, "stale");
    const messages: string[] = [];
    for await (const event of jobs.events(id).after(0)) messages.push(event.message);
    assert.ok(messages.includes("Attempt ended: runner a was lost at step 20"), messages.join("\n"));
    assert.ok(messages.includes("Runner b has taken the job, from the checkpoint of step 20"), messages.join("\n"));
  });

  it("are with another runner within a lease and a half, whenever the first was killed", async () => {
    for (let killed = 10; killed < 20; killed += 0.7) {
      const { jobs, clock } = await setUp();
      const { id } = await ready(jobs);
      await jobs.lease("a", () => true);
      // The server looks ten times a lease; a gives its last sign of life right before it is killed.
      let taken: JobRecord | undefined;
      for (let look = 0; !taken; look++) {
        const next = 3000 * look + 1;
        if (clock.now < 1000 * killed && next >= 1000 * killed) await jobs.change(id, (r) => renewLease(r, 1, 1, 1));
        clock.now = next;
        await jobs.watch();
        taken = await jobs.lease("b", () => true);
      }
      const seconds = clock.now / 1000 - killed;
      assert.ok(seconds > 30 && seconds < 40, `${seconds} s`);
    }
  });

  it("are not lost to a server that was itself stopped", async () => {
    const { jobs, clock } = await setUp();
    await ready(jobs);
    await jobs.lease("a", () => true);
    await jobs.watch();
    clock.now = 3_600_000;
    await jobs.watch();
    await jobs.watch();
    assert.equal(await jobs.lease("b", () => true), undefined);
  });

  it("that always crash fail with their causes", async () => {
    const { jobs } = await setUp();
    const { id } = await ready(jobs);
    for (let attempt = 1; attempt <= 3; attempt++) {
      const job = await jobs.lease("a", () => true);
      const error = { code: "crashed", message: `exit ${attempt}`, param: null };
      await jobs.change(id, (r) => releaseLease(r, job?.token ?? 0, { reason: "failed", error, retry: true }, 7));
    }
    const job = await jobs.get(id);
    assert.equal(job?.status, "failed");
    assert.match(job.error?.message ?? "", /3 attempts.*exit 1; exit 2; exit 3/);
    assert.equal(await jobs.lease("a", () => true), undefined);
  });

  it("that get further are not given up", async () => {
    const { jobs } = await setUp();
    const { id } = await ready(jobs);
    for (let attempt = 1; attempt <= 10; attempt++) {
      const job = await jobs.lease("a", () => true);
      const token = job?.token ?? 0;
      await jobs.change(id, (r) => addCheckpoint(r, token, checkpoint(attempt)));
      const error = { code: "crashed", message: "spot machine", param: null };
      await jobs.change(id, (r) => releaseLease(r, token, { reason: "failed", error, retry: true }, 7));
    }
    assert.equal((await jobs.get(id))?.status, "queued");
  });

  it("are put into the queue again when it has lost everything", async () => {
    const { jobs, store } = await setUp();
    const made = [(await ready(jobs)).id, (await ready(jobs)).id];
    for await (const { key } of store.list("queue/")) await store.delete(key);
    assert.equal(await jobs.lease("a", () => true), undefined);
    await jobs.watch();
    const found = [await jobs.lease("a", () => true), await jobs.lease("b", () => true)];
    assert.deepEqual(found.map((j) => j?.id).sort(), made.sort());
  });

  it("stay in the queue where a runner cannot do them", async () => {
    const { jobs } = await setUp();
    const { id } = await ready(jobs);
    assert.equal(await jobs.lease("small", () => false), undefined);
    assert.equal((await jobs.lease("large", () => true))?.id, id);
  });

  it("are cancelled at once without a runner, by their runner else; a pause keeps the checkpoint", async () => {
    const { jobs } = await setUp();
    const { id } = await ready(jobs);
    assert.equal((await jobs.change(id, (r) => requestStop(r, "pause", 1)))?.record.status, "paused");
    const other = await ready(jobs);
    const job = await jobs.lease("a", () => true);
    assert.equal(job?.id, other.id);
    assert.equal((await jobs.change(other.id, (r) => requestStop(r, "cancel", 1)))?.record.status, "running");
    const beat = await jobs.change(other.id, (r) => renewLease(r, 1, 1, 1));
    assert.equal(beat?.record.wants, "cancel");
    const done = await jobs.change(other.id, (r) => releaseLease(r, 1, { reason: "cancelled" }, 2));
    assert.equal(done?.record.status, "cancelled");
  });

  it("tell what is sent twice once, and a step once whoever computes it", async () => {
    const { jobs } = await setUp();
    const { id } = await ready(jobs);
    const events = jobs.events(id);
    const before = await events.count();
    const step = (n: number) => ({ at: 0, level: "info", type: "metrics", message: `step ${n}`, step: n }) as const;
    await events.append([step(1), step(2)], { token: 1, from: 1 });
    await events.append([step(1), step(2), step(3)], { token: 1, from: 1 });
    await events.append([step(2), step(3), step(4)], { token: 2, from: 1 });
    await events.append([step(5)], { token: 1, from: 4 });
    const lines: string[] = [];
    const numbers: number[] = [];
    for await (const event of events.after(before)) {
      lines.push(event.message);
      numbers.push(event.number - before);
    }
    assert.deepEqual([lines, numbers], [["step 1", "step 2", "step 3", "step 4"], [1, 2, 3, 4]]);
  });
});

describe("uploaded lines", () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const check = (text: string | Uint8Array, piece = Infinity): number => {
    const check = lineCheck("f");
    const all = typeof text === "string" ? bytes(text) : text;
    for (let at = 0; at < all.length; at += piece) check.push(all.subarray(at, at + piece));
    return check.end();
  };
  it("are of bounded length: a plan takes many times the bytes of its longest row", () => {
    const row = (length: number): string => JSON.stringify({ a: "x".repeat(length - 8) });
    assert.equal(check(`${row(2 ** 21)}\n${row(2 ** 21)}`, 2 ** 16), 2);
    assert.throws(() => check(`{}\n${row(2 ** 21 + 1)}`, 2 ** 16), /f, line 2: is longer than 2097152 bytes/);
  });
  it("are counted, and the first that is wrong is named", () => {
    for (const piece of [1, 2, Infinity]) {
      assert.equal(check('{"a":1}\n\n{"b":2}', piece), 2);
      assert.equal(check('\uFEFF{"a":"\u00e9\u{1d11e}"}\r\n', piece), 1);
      const wrong = [
        ['{"a":1}\n[1]', /line 2.*not a JSON object/],
        ['{"a":1}\n{"a"', /line 2.*not JSON/],
        ["\n", /no rows/],
        ['{"a":1}\n\n{"a":01}', /line 3.*not JSON/],
        [`{"a":${"[".repeat(600)}`, /line 1 is nested deeper|line 1.*nested deeper/],
      ] as const;
      for (const [text, pattern] of wrong) assert.throws(() => check(text, piece), pattern);
      assert.throws(() => check(Uint8Array.of(0x7b, 0xff, 0x7d), piece), /line 1.*UTF-8/);
    }
  });

  it("are what a parser takes", () => {
    const seeds = [
      '{"a":1}',
      '{"a":[1,-2.5e+3,0.1,"x\\u00e9\\n",true,false,null,{}],"b":{"c":[]}}',
      "[1]",
      '"s"',
      "12",
    ];
    const more = ['{"\u00e9":"\u00fc\u20ac\u{1d11e}"}', '{"a":-0}', ' {"a" : 1 , "b":2 } ', '{"a":0.0e-1}', ""];
    const letters = bytes('{}[]",:0123456789eE+-.\\utfnal \t');
    const random = createRandom(7);
    const parsed = (line: Uint8Array): string => {
      try {
        const text = new TextDecoder("utf-8", { fatal: true }).decode(line).replace(/^[ \t\r]+|[ \t\r]+$/g, "");
        if (text === "") return "none";
        const value = JSON.parse(text);
        return typeof value === "object" && value !== null && !Array.isArray(value) ? "object" : "other";
      } catch {
        return "wrong";
      }
    };
    const checked = (line: Uint8Array): string => {
      try {
        return check(line) === 1 ? "object" : "several";
      } catch (error) {
        const { message } = error as Error;
        return message.includes("no rows") ? "none" : message.includes("not a JSON object") ? "other" : "wrong";
      }
    };
    let at = 0;
    const draw = (below: number): number => Math.floor(random.uniform(at++) * below);
    for (let i = 0; i < 20_000; i++) {
      const line = bytes([...seeds, ...more][i % 10] ?? "");
      for (let changes = draw(3); changes > 0 && line.length > 0; changes--) {
        line[draw(line.length)] = (draw(3) === 0 ? draw(256) : letters[draw(letters.length)]) ?? 0;
      }
      if (!line.includes(0x0a)) assert.equal(checked(line), parsed(line), new TextDecoder().decode(line));
    }
  });
});

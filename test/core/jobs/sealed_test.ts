import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { storeFailed } from "../../../core/base/errors.ts";
import { filesIn } from "../../../core/jobs/files.ts";
import { type Jobs, jobsIn } from "../../../core/jobs/jobs.ts";
import { queueJob } from "../../../core/jobs/record.ts";
import { seal, sealStore, unseal } from "../../../core/jobs/sealed.ts";
import { storeQueue } from "../../../core/jobs/store_queue.ts";
import type { Store } from "../../../core/types.ts";
import { memory } from "../../../plugins/stores/memory.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { collect } from "../../../core/base/collect.ts";

const host = await hostHere(1);
const damages: readonly (readonly [string, (bytes: Uint8Array) => Uint8Array])[] = [
  ["cut in half", (b) => b.subarray(0, b.length >> 1)],
  ["cut by a byte", (b) => b.subarray(0, -1)],
  ["zeros", (b) => new Uint8Array(b.length)],
  ["nothing", () => new Uint8Array()],
  ["another's JSON", () => new TextEncoder().encode('{"until":0}')],
  ["a flipped bit", (b) => b.map((byte, i) => (i === b.length - 20 ? byte ^ 4 : byte))],
];

/** Jobs over a store, opened as a new process would. */
function opened(store: Store): { jobs: Jobs; told: string[]; damaged: () => readonly string[] } {
  const messages: string[] = [];
  const sealed = sealStore(store, (text) => messages.push(text));
  const clock = { now: () => 0, time: () => 0 };
  const jobs = jobsIn({
    store,
    sealed,
    queue: storeQueue(store, () => 0),
    ...clock,
    leaseSeconds: 30,
    maxAttempts: 3,
  });
  return { jobs, told: messages, damaged: sealed.damaged };
}

describe("values with a checksum", () => {
  it("are what was written, or nothing: no bit of them may change", () => {
    const bytes = seal({ id: "ftjob-ä", list: [1, null, "}"] });
    assert.deepEqual(unseal(bytes), { value: { id: "ftjob-ä", list: [1, null, "}"] } });
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const copy = bytes.slice();
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ 1 << (bit & 7);
      assert.equal(unseal(copy), undefined, `bit ${bit}`);
    }
    for (let length = 0; length < bytes.length; length++) assert.equal(unseal(bytes.subarray(0, length)), undefined);
  });
});

describe("one damaged object", () => {
  for (const [name, damage] of damages) {
    it(`costs one job: ${name}`, async () => {
      const victims = [
        (id: string) => `records/${id}.json`,
        (id: string) => `queue/${id}.json`,
        (id: string) => `jobs/${id}/events/0000000001.json`,
      ];
      for (const victim of victims) {
        const store = await memory().open(host);
        const before = opened(store).jobs;
        const ids: string[] = [];
        for (let i = 0; i < 3; i++) {
          const { id } = await before.create("t", {}, {}, `ftjob-${i}`);
          await before.change(id, (r) => queueJob(r, { needs: r.needs, estimate: {} }));
          ids.push(id);
        }
        const key = victim(ids[1] ?? "");
        const bytes = damage((await store.get(key))?.bytes ?? new Uint8Array());
        await store.put(key, bytes);
        const { jobs, told: messages, damaged } = opened(store);
        await jobs.watch();
        const listed = (await collect(jobs.list())).map(({ id }) => id);
        const leased = [];
        for (let i = 0; i < 3; i++) leased.push((await jobs.lease("r", () => true))?.id);
        for await (const event of jobs.events(ids[1] ?? "").after(0)) assert.ok(event.number > 0);
        const others = ids.filter((id) => !key.includes("records") || id !== ids[1]);
        assert.deepEqual([listed.sort(), leased.filter(Boolean).sort()], [others, others], key);
        assert.deepEqual([damaged(), messages.length], [[key], 1], key);
        assert.match(messages[0] ?? "", new RegExp(key));
        // What was there is kept for people, and another process tells it again.
        assert.deepEqual((await store.get(`damaged/${key}`))?.bytes, bytes);
        const next = opened(store);
        await next.jobs.watch();
        assert.deepEqual(next.damaged(), [key]);
      }
    });
  }
  it("costs one file", async () => {
    const store = await memory().open(host);
    const files = filesIn(store, () => 0);
    const make = (id: string) =>
      files.create({ id, tenant: "t", filename: "f", purpose: "fine-tune", bytes: new Uint8Array(3) });
    for (const id of ["file-a", "file-b"]) await make(id);
    await store.put("files/file-a/info.json", new Uint8Array());
    const ids = (await collect(filesIn(store, () => 0).list())).map(({ id }) => id);
    assert.deepEqual(ids, ["file-b"]);
    await make("file-a");
    assert.equal((await files.get("file-a"))?.bytes, 3);
  });
  it("is passed over where the disk cannot read it, or has no room to move it", async () => {
    for (const code of ["EIO", "ENOSPC"]) {
      const inner = await memory().open(host);
      const before = opened(inner).jobs;
      for (const id of ["ftjob-a", "ftjob-b"]) {
        await before.create("t", {}, {}, id);
        await before.change(id, (r) => queueJob(r, { needs: r.needs, estimate: {} }));
      }
      const key = "records/ftjob-a.json";
      await inner.put(key, new Uint8Array(4));
      const fail = (): never => {
        throw storeFailed("test", key, Object.assign(new Error(code), { code }));
      };
      const store: Store = {
        ...inner,
        get: (k, range) => (k === key && code === "EIO" ? fail() : inner.get(k, range)),
        put: (k, bytes, options) => (k.startsWith("damaged/") ? fail() : inner.put(k, bytes, options)),
      };
      const { jobs, damaged } = opened(store);
      await jobs.watch();
      const listed = (await collect(jobs.list())).map(({ id }) => id);
      assert.deepEqual([listed, (await jobs.lease("r", () => true))?.id], [["ftjob-b"], "ftjob-b"]);
      assert.deepEqual(damaged(), [key]);
    }
  });
});

describe("hints", () => {
  it("behind three hundred that a runner cannot do reach it at once, also after a start", async () => {
    const store = await memory().open(host);
    const before = opened(store).jobs;
    for (let i = 0; i < 300; i++) {
      const { id } = await before.create("t", {}, {}, `ftjob-${String(i).padStart(4, "0")}`);
      const needs = { bytes: i === 299 ? 1 : 1000, provider: null, plugins: [] };
      await before.change(id, (r) => queueJob(r, { needs, estimate: {} }));
    }
    const small = (job: { needs: { bytes: number } }): boolean => job.needs.bytes < 10;
    const { jobs } = opened(store);
    let error;
    for (let look = 0; look < 10 && !error; look++) error = await jobs.lease("r", small);
    assert.equal(error?.id, "ftjob-0299");
  });
  it("come back after their time by each process's own clock, whatever is written in them", async () => {
    const store = await memory().open(host);
    let now = 1e12;
    const first = storeQueue(store, () => now);
    await first.push("ftjob-a");
    assert.equal((await first.pull(30))?.id, "ftjob-a");
    // Another process, whose clock was set back by a day.
    const second = storeQueue(store, () => now - 86_400_000);
    assert.equal(await second.pull(30), undefined);
    now += 31_000;
    assert.equal((await second.pull(30))?.id, "ftjob-a");
    await store.put("queue/ftjob-b.json", seal({ id: "ftjob-b" }));
    await store.put("queue/ftjob-b.1", seal({ seconds: 1e300 }));
    assert.equal(await second.pull(30), undefined);
    now += 3_601_000;
    assert.equal((await second.pull(30))?.id, "ftjob-b");
  });
});

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { memory } from "../../plugins/stores/memory.ts";
import { memory as memoryQueue } from "../../plugins/queues/memory.ts";
import { jobsApp } from "../../runtimes/jobs/jobs_app.ts";
import { hostHere } from "../../runtimes/host/train.ts";
import { until } from "../until.ts";

const host = await hostHere(1);

describe("plans", () => {
  it("count when they begin: jobs that wait for their turn lose nothing where a server is killed again and again", async () => {
    const store = await memory().open(host);
    const needs = { bytes: 1, provider: null, plugins: [] };
    const server = async (plan: () => Promise<void>) =>
      jobsApp({
        store,
        queue: await memoryQueue().open(host),
        models: { names: async () => [], open: async () => undefined },
        planner: {
          check: () => {},
          references: () => [],
          plan: async () => (await plan(), { needs, estimate: {}, totalSteps: 1 }),
        },
      });
    let begun = 0;
    const never = (): Promise<void> => new Promise(() => void begun++);
    const first = await server(never);
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) ids.push((await first.jobs.create("t", {}, {})).id);
    // Each of these has begun to plan two of them when it is killed, or finds that they were begun too often.
    for (let kill = 0; kill < 8; kill++) {
      const own = await server(never);
      const before = begun;
      await own.watch();
      await until("two plans", () => begun - before === 2);
    }
    const last = await server(() => Promise.resolve());
    await last.watch();
    const states = async () => await Promise.all(ids.map(async (id) => (await last.jobs.get(id))?.status));
    await until("the end of every plan", async () => !(await states()).includes("validating_files"));
    // Those that were always at work when the end came are given up, the others are not.
    const failed = (await states()).filter((status) => status === "failed").length;
    assert.ok(failed >= 1 && failed <= 4, `${failed} of 12 have failed`);
    assert.equal((await states()).filter((status) => status === "queued").length, 12 - failed);
  });
});

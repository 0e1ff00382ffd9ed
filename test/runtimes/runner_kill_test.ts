import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { jobRig } from "../faults/job_rig.ts";

/** Enough to be killed in the middle. */
const STEPS = 400;

describe("runners that are stopped and killed", () => {
  it("lose their job to another one, which goes on from the checkpoint", async () => {
    const rig = await jobRig({ heartbeatSeconds: 0.2 });
    after(() => rig.close());
    const id = await rig.submit({ maxSteps: STEPS, saveSteps: 15 });
    const a = rig.runner("a");
    const job = await rig.until(id, "a checkpoint", (job) => job.checkpoints.length >= 1 && job.status === "running");
    const b = rig.runner("b");
    a.signal("SIGKILL");
    await a.ended;
    await rig.lose(id);
    const done = await rig.until(id, "the end", (job) => job.status === "succeeded");
    assert.ok(done.token > job.token, b.output());
    const steps: number[] = [];
    for await (const event of rig.server.jobs.events(id).after(0)) {
      if (event.data?.train_loss !== undefined) steps.push(Number(event.data.step));
    }
    assert.deepEqual(steps, Array.from({ length: STEPS }, (_, i) => i + 1), "each step was told once");
  });

  it("give the job back when they are told to end", async () => {
    const rig = await jobRig({ heartbeatSeconds: 1 });
    after(() => rig.close());
    const id = await rig.submit({ maxSteps: 100_000, saveSteps: 50_000 });
    const a = rig.runner("a");
    await rig.until(id, "steps", (job) => job.step > 3);
    a.signal("SIGTERM");
    assert.equal(await a.ended, 130, a.output());
    const job = await rig.server.jobs.get(id);
    assert.deepEqual([job?.status, job?.attempts, job?.checkpoints.length], ["queued", 0, 1]);
  });
});

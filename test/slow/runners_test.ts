import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { jobRig } from "../faults/job_rig.ts";

describe("runners that are stopped and killed, at length", () => {
  it("lose their job to another one, which leaves the same bytes; a late one changes nothing", async () => {
    const rig = await jobRig();
    after(() => rig.close());
    const training = { maxSteps: 240, saveSteps: 15, evalStrategy: "steps", evalSteps: 40 };
    const id = await rig.submit(training);
    const a = rig.runner("a");
    await rig.until(id, "a checkpoint of a", (job) => job.lease?.runner === "a" && job.checkpoints.length >= 1);
    a.signal("SIGSTOP");
    const b = rig.runner("b");
    const taken = await rig.until(id, "b", (job) => job.lease?.runner === "b" && job.checkpoints.length > 1);
    assert.equal(taken.token, 2);
    // a wakes up past its lease, in the middle of its step.
    a.signal("SIGCONT");
    await rig.until(
      id,
      "more of b",
      (job) => job.checkpoints.length > taken.checkpoints.length || job.status === "succeeded",
    );
    for (let i = 0; i < 100 && !a.output().includes("is over"); i++) await new Promise((r) => setTimeout(r, 50));
    assert.match(a.output(), /lease of job .* is over/);
    const before = await rig.server.jobs.get(id);
    assert.equal(before?.token, 2, "a has changed nothing");
    b.signal("SIGKILL");
    // a is free again, and takes what b has left.
    const done = await rig.until(id, "the end", (job) => job.status === "succeeded");
    assert.ok(done.token >= 2);
    const straight = await rig.submit(training);
    await rig.until(straight, "the end", (job) => job.status === "succeeded");
    assert.deepEqual(await rig.results(id), await rig.results(straight));
    assert.equal(done.trainedTokens, (await rig.server.jobs.get(straight))?.trainedTokens);
    const steps: number[] = [];
    for await (const event of rig.server.jobs.events(id).after(0)) {
      if (event.data?.train_loss !== undefined) steps.push(Number(event.data.step));
    }
    assert.deepEqual(steps, Array.from({ length: 240 }, (_, i) => i + 1), "each step was told once");
  });

  it("take each other's jobs over within lease and heartbeat, from Node to Bun to Deno", async () => {
    const rig = await jobRig();
    after(() => rig.close());
    const training = { maxSteps: 400, saveSteps: 10 };
    const id = await rig.submit(training);
    const runtimes = ["node", "bun", "deno"];
    const waits: number[] = [];
    let killedAt = 0;
    for (let i = 0; i < 6; i++) {
      const own = rig.runner(`r${i}`, runtimes[i % 3]);
      const held = await rig.until(
        id,
        `runner ${i}`,
        (job) => job.lease?.runner === own.name || job.status === "succeeded",
      );
      if (held.status === "succeeded") break;
      if (i > 0) waits.push(performance.now() - killedAt);
      const from = held.checkpoints.length;
      await rig.until(id, "a checkpoint", (job) => job.checkpoints.length > from || job.status === "succeeded");
      own.signal("SIGKILL");
      killedAt = performance.now();
    }
    rig.runner("last");
    await rig.until(id, "the end", (job) => job.status === "succeeded");
    const straight = await rig.submit(training);
    await rig.until(straight, "the end", (job) => job.status === "succeeded");
    assert.deepEqual(await rig.results(id), await rig.results(straight));
    console.log(
      `take-over after ${
        waits.map((ms) => (ms / 1000).toFixed(1)).join(", ")
      } s (lease 1.5 s, start of a process included)`,
    );
  });
});

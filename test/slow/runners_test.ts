import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { jobRig } from "../faults/job_rig.ts";
import { tinyRows } from "../tiny.ts";
import { until } from "../until.ts";

describe("runners that are stopped and killed, at length", () => {
  it("lose their job to another one, which leaves the same bytes; a late one changes nothing", async () => {
    const rig = await jobRig();
    after(() => rig.close());
    const training = { maxSteps: 240, saveSteps: 15, evalStrategy: "steps", evalSteps: 40 };
    const id = await rig.submit(training);
    const a = rig.runner("a");
    await rig.until(id, "a checkpoint of a", (job) => job.lease?.runner === "a" && job.checkpoints.length >= 1);
    a.signal("SIGSTOP");
    await rig.lose(id);
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
    await until("what a says", () => /lease of job .* has ended/.test(a.output()));
    const before = await rig.server.jobs.get(id);
    assert.equal(before?.token, 2, "a has changed nothing");
    b.signal("SIGKILL");
    await b.ended;
    await rig.lose(id);
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

  it("take each other's jobs over, from Node to Bun to Deno", async () => {
    const rig = await jobRig();
    after(() => rig.close());
    const training = { maxSteps: 400, saveSteps: 10 };
    const id = await rig.submit(training);
    const runtimes = ["node", "bun", "deno"];
    for (let i = 0; i < 6; i++) {
      const runner = rig.runner(`r${i}`, runtimes[i % 3]);
      const leasedJob = await rig.until(
        id,
        `runner ${i}`,
        (job) => job.lease?.runner === runner.name || job.status === "succeeded",
      );
      if (leasedJob.status === "succeeded") break;
      const from = leasedJob.checkpoints.length;
      await rig.until(id, "a checkpoint", (job) => job.checkpoints.length > from || job.status === "succeeded");
      runner.signal("SIGKILL");
      await runner.ended;
      await rig.lose(id);
    }
    rig.runner("last");
    await rig.until(id, "the end", (job) => job.status === "succeeded");
    const straight = await rig.submit(training);
    await rig.until(straight, "the end", (job) => job.status === "succeeded");
    assert.deepEqual(await rig.results(id), await rig.results(straight));
  });

  it("lose it behind the 30 s of a lease that servers have, and the look that is the next", async () => {
    const rig = await jobRig({ leaseSeconds: undefined, heartbeatSeconds: undefined });
    after(() => rig.close());
    const id = await rig.submit({ maxSteps: 1_000_000, saveSteps: 20 });
    const a = rig.runner("a");
    await rig.until(id, "a checkpoint", (job) => job.lease?.runner === "a" && job.checkpoints.length > 0);
    a.signal("SIGKILL");
    await a.ended;
    const seconds = await rig.lose(id);
    assert.ok(seconds > 30 && seconds <= 36, `${seconds} s`);
    rig.runner("b");
    await rig.until(id, "b", (job) => job.lease?.runner === "b");
    await rig.ask(id, "cancel");
    await rig.until(id, "the end", (job) => job.status === "cancelled");
  });

  it("keep their lease through steps that are longer, and pause and cancel at the end of the one under way", async () => {
    const leaseSeconds = 1.5;
    const rig = await jobRig({ leaseSeconds });
    after(() => rig.close());
    const waitFor = async (job: string, step: number): Promise<void> => {
      while (await rig.step(job) < step) await new Promise((resolve) => setTimeout(resolve, 20));
    };
    const training = { perDeviceTrainBatchSize: 1, saveSteps: 1000 };
    /** Starts a job of two steps an epoch, of so many times the tiny rows; it, and the seconds of its second step. */
    const started = async (times: number): Promise<readonly [id: string, seconds: number]> => {
      const steps = { maxSteps: 50, gradientAccumulationSteps: times * tinyRows.length };
      const id = await rig.submit({ ...training, ...steps }, 2 * times);
      await waitFor(id, 1);
      const start = performance.now();
      await waitFor(id, 2);
      return [id, (performance.now() - start) / 1000];
    };
    rig.runner("a");
    const [trial, short] = await started(50);
    await rig.ask(trial, "cancel");
    await rig.until(trial, "the end of the trial", (job) => job.status === "cancelled");
    // Long enough on any machine, also where the trial's step was held up by others.
    const [id] = await started(Math.ceil(50 * 4 * leaseSeconds / short));
    // Most of a lease passes between one sign of life and the next, in one step.
    for (let i = 0; i < 4; i++) {
      const beat = (await rig.server.jobs.get(id))?.lease?.beat;
      await rig.until(id, "a sign of life", (job) => job.lease?.beat !== beat);
      await rig.pass(0.9 * leaseSeconds);
    }
    assert.equal(await rig.step(id), 2);
    await rig.ask(id, "pause");
    const paused = await rig.until(id, "the pause", (job) => job.status === "paused");
    assert.deepEqual([paused.token, await rig.step(id), paused.checkpoints.at(-1)?.step], [1, 3, 3]);
    await rig.ask(id, "resume");
    await waitFor(id, 4);
    await rig.ask(id, "cancel");
    const ended = await rig.until(id, "the end", (job) => job.status === "cancelled");
    assert.deepEqual([ended.token, await rig.step(id)], [2, 5]);
  });

  it("that a job always kills make it fail, with the causes", async () => {
    const rig = await jobRig({ maxAttempts: 3 });
    after(() => rig.close());
    const id = await rig.submit({ maxSteps: 1_000_000, saveSteps: 500_000 });
    for (const name of ["a", "b", "c"]) {
      const own = rig.runner(name);
      await rig.until(id, name, (job) => job.lease?.runner === name);
      own.signal("SIGKILL");
      await own.ended;
      await rig.lose(id);
    }
    const { status, error } = await rig.until(id, "the end", (job) => job.status === "failed");
    assert.deepEqual([status, error?.code], ["failed", "attempts_exhausted"]);
    assert.match(error?.message ?? "", /3 attempts.*runner a was lost.*runner b was lost.*runner c was lost/);
  });
});

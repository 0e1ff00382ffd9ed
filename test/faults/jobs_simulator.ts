/**
 * Jobs under a seeded schedule of crashes, delays, duplicates and late words: two servers over one store, runners that die
 * or are stopped past their lease, a queue that loses everything. Every wait is one that the seed orders.
 */
import assert from "node:assert/strict";
import { type Jobs, jobsIn } from "../../core/jobs/jobs.ts";
import {
  addCheckpoint,
  commitLease,
  isTerminal,
  type JobRecord,
  queueJob,
  releaseLease,
  renewLease,
  requestStop,
  unpauseJob,
} from "../../core/jobs/record.ts";
import type { JobEvent } from "../../core/jobs/events.ts";
import { unseal } from "../../core/jobs/sealed.ts";
import { createRandom } from "../../core/math/random.ts";
import type { OpenQueue, Store, StoredObject } from "../../core/types.ts";

/** What a schedule did. */
export type Outcome = Readonly<{
  jobs: number;
  succeeded: number;
  failed: number;
  cancelled: number;
  leases: number;
  stale: number;
  crashes: number;
  rounds: number;
}>;

const LEASE = 30;
const STEPS = 4;
/** Faults stop after this many rounds, so that everything must come to an end. */
const FAULTY = 400;
const MAX_ROUNDS = 20_000;

/** An actor: a process that may die. What waits for a dead one never comes. */
type Actor = { alive: boolean; stoppedUntil: number };

/** Runs one schedule; throws where an invariant breaks. `commit` is what a runner's last word does; tests break it. */
export async function simulate(seed: number, commit: typeof commitLease = commitLease): Promise<Outcome> {
  const random = createRandom(seed).fork("schedule");
  let drawn = 0;
  const chance = (p: number): boolean => random.uniform(drawn++) < p;
  const below = (n: number): number => Math.floor(random.uniform(drawn++) * n);

  let now = 0;
  let rounds = 0;
  const faulty = (): boolean => rounds < FAULTY;
  const waiting: { actor: Actor; at: number; run: () => void }[] = [];
  const wait = (actor: Actor, ms: number): Promise<void> =>
    new Promise((resolve) => waiting.push({ actor, at: now + ms, run: resolve }));

  // The store: every operation waits its turn, then happens at once.
  const objects = new Map<string, { bytes: Uint8Array; revision: string }>();
  let writes = 0;
  const commits = new Map<string, number>();
  const latest = new Map<string, JobRecord>();
  // What breaks is said by the schedule, not by whoever made the call.
  const broken: string[] = [];
  const checkRecord = (before: JobRecord | undefined, after: JobRecord): void => {
    latest.set(after.id, after);
    if (before && isTerminal(before)) broken.push(`job ${after.id} changed from ${before.status} to ${after.status}`);
    if (after.token < (before?.token ?? 0)) broken.push(`the token of job ${after.id} fell`);
    if (after.status !== "succeeded") return;
    commits.set(after.id, (commits.get(after.id) ?? 0) + 1);
    if (after.result?.token !== before?.token) broken.push(`an old lease has committed job ${after.id}`);
  };
  const recordOf = (bytes: Uint8Array | undefined): JobRecord | undefined => bytes && unseal<JobRecord>(bytes)?.value;
  const storeFor = (actor: Actor): Store => {
    const stored = (key: string): StoredObject => ({
      key,
      size: objects.get(key)?.bytes.length ?? 0,
      revision: objects.get(key)?.revision ?? "",
    });
    return {
      get: async (key) => {
        await wait(actor, below(50));
        const object = objects.get(key);
        return object && { ...stored(key), bytes: object.bytes };
      },
      put: async (key, bytes, options) => {
        await wait(actor, below(50));
        const wanted = options?.if;
        if (wanted !== undefined && (objects.get(key)?.revision ?? null) !== wanted) return "conflict";
        if (key.startsWith("records/")) {
          const after = recordOf(bytes as Uint8Array);
          if (after) checkRecord(recordOf(objects.get(key)?.bytes), after);
        }
        objects.set(key, { bytes: bytes as Uint8Array, revision: String(++writes) });
        const done = stored(key);
        // Done, but the answer may never arrive.
        await wait(actor, below(50));
        return done;
      },
      delete: async (key) => {
        await wait(actor, below(50));
        objects.delete(key);
        return "done";
      },
      list: async function* (prefix) {
        await wait(actor, below(50));
        for (const key of [...objects.keys()].filter((k) => k.startsWith(prefix)).sort()) yield stored(key);
      },
    };
  };

  // The queue: hints come late, twice, or get lost with everything else.
  const hints: { id: string; until: number }[] = [];
  const queueFor = (actor: Actor): OpenQueue => ({
    push: async (id) => {
      await wait(actor, below(100));
      if (chance(0.2)) hints.push({ id, until: 0 });
      if (!hints.some((h) => h.id === id)) hints.push({ id, until: 0 });
    },
    pull: async (seconds) => {
      await wait(actor, below(100));
      const hint = hints.find((h) => h.until <= now);
      if (!hint) return undefined;
      // At least once: sometimes two get the same.
      if (!(faulty() && chance(0.1))) hint.until = now + 1000 * seconds;
      const remove = async (): Promise<void> => {
        await wait(actor, chance(0.1) ? 90_000 : below(100));
        const at = hints.indexOf(hint);
        if (at >= 0) hints.splice(at, 1);
      };
      return { id: hint.id, ack: remove, nack: async () => void (hint.until = 0) };
    },
    close: async () => {},
  });

  type Server = { actor: Actor; jobs: Jobs };
  const started = (): Server => {
    const actor = { alive: true, stoppedUntil: 0 };
    const jobs = jobsIn({
      store: storeFor(actor),
      queue: queueFor(actor),
      now: () => now,
      time: () => Math.floor(now / 1000),
      leaseSeconds: LEASE,
      maxAttempts: 4,
      random: () => String(below(1e9)),
    });
    void (async () => {
      while (true) {
        await jobs.watch();
        await wait(actor, 5000 + below(5000));
      }
    })();
    return { actor, jobs };
  };
  const servers = [started(), started()];
  const ids: string[] = [];
  let [leases, stale, crashes] = [0, 0, 0];

  // A call over the network: the answer may be lost, the request may arrive twice.
  const call = async <T>(actor: Actor, act: (jobs: Jobs) => Promise<T>): Promise<T | "lost"> => {
    const server = servers[below(servers.length)] as Server;
    let answer: T | "lost" = "lost";
    let arrived = false;
    const send = (): void =>
      void act(server.jobs).then((value) => {
        answer = value;
        arrived = true;
      });
    send();
    if (faulty() && chance(0.15)) send();
    const dropped = faulty() && chance(0.1);
    for (let patience = 0; patience < 20; patience++) {
      await wait(actor, 200 + below(500));
      if (arrived && !dropped) return answer;
    }
    return "lost";
  };

  const runner = async (actor: Actor, name: string): Promise<void> => {
    while (true) {
      const job = await call(actor, (jobs) => jobs.lease(name, () => true));
      if (job === "lost" || !job) {
        await wait(actor, 1000 + below(4000));
        continue;
      }
      leases++;
      const { id, token } = job;
      let step = job.checkpoints.at(-1)?.step ?? 0;
      let said = 0;
      const change = async (apply: Parameters<Jobs["change"]>[1]): Promise<"ok" | "gone" | JobRecord> => {
        for (let tries = 0; tries < 6; tries++) {
          const done = await call(actor, (jobs) => jobs.change(id, apply));
          if (done === "lost") continue;
          if (done?.refused === "stale") stale++;
          return !done || done.refused !== undefined ? "gone" : done.record;
        }
        return "gone";
      };
      let going = true;
      while (going && step < STEPS) {
        await wait(actor, 1000 + below(8000));
        step++;
        const current = step;
        const from = said + 1;
        said += 1;
        const event = { at: 0, level: "info", type: "metrics", message: `step ${current}`, step: current } as const;
        // Told before anything is saved that others go on from, however often it takes.
        const told = async (
          jobs: Jobs,
        ): Promise<"told"> => (await jobs.events(id).append([event], { token, from }), "told");
        while (await call(actor, told) === "lost");
        const record = await change((r) => renewLease(r, token, current, current));
        if (typeof record === "string") going = false;
        else if (record.wants) {
          await change((r) => releaseLease(r, token, { reason: "shutdown" }, 0));
          going = false;
        } else if (faulty() && chance(0.05)) {
          const error = { code: "crashed", message: "out of memory", param: null };
          await change((r) => releaseLease(r, token, { reason: "failed", error, retry: true }, 0));
          going = false;
        } else if (step % 2 === 0) {
          const folder = `jobs/${id}/leases/${token}/step-${step}/`;
          const checkpoint = { id: `c${token}-${step}`, folder, files: ["state"], step, at: 0, metrics: {} };
          going = await change((r) => addCheckpoint(r, token, checkpoint)) !== "gone";
        }
      }
      if (going) {
        await change((r) =>
          commit(r, token, { folder: `jobs/${id}/leases/${token}/result/`, files: [], metrics: {} }, 0)
        );
      }
    }
  };

  const user = { alive: true, stoppedUntil: 0 };
  void (async () => {
    const count = 1 + below(3);
    while (ids.length < count) {
      const created = await call(user, (jobs) => jobs.create("t", {}, {}));
      if (created === "lost") continue;
      ids.push(created.id);
      await call(user, (jobs) => jobs.change(created.id, (r) => queueJob(r, { needs: r.needs, estimate: {} })));
      await wait(user, below(20_000));
      if (chance(0.3)) {
        await call(user, (jobs) => jobs.change(created.id, (r) => requestStop(r, chance(0.5) ? "cancel" : "pause", 0)));
      }
      if (chance(0.2)) await call(user, (jobs) => jobs.change(created.id, unpauseJob));
    }
    // Afterwards everything is to come to an end: what is paused goes on, what was never queued is.
    while (true) {
      await wait(user, 60_000);
      for (const id of ids) {
        await call(user, (jobs) => jobs.change(id, unpauseJob));
        await call(user, (jobs) => jobs.change(id, (r) => queueJob(r, { needs: r.needs, estimate: {} })));
      }
    }
  })();
  const runners: Actor[] = [];
  const hire = (): void => {
    const actor = { alive: true, stoppedUntil: 0 };
    runners.push(actor);
    void runner(actor, `runner-${runners.length}`);
  };
  for (let i = 0; i < 3; i++) hire();

  const records = (): JobRecord[] => ids.flatMap((id) => latest.get(id) ?? []);
  while (true) {
    await new Promise((resolve) => setImmediate(resolve));
    const all = records();
    assert.deepEqual(broken, []);
    if (all.length > 0 && !faulty() && all.every(isTerminal)) break;
    assert.ok(++rounds < MAX_ROUNDS, `jobs hang: ${all.map((r) => `${r.id} ${r.status}`).join(", ")}`);
    if (faulty()) {
      if (chance(0.01)) {
        const victim = runners[below(runners.length)];
        if (victim?.alive) {
          victim.alive = false;
          crashes++;
          hire();
        }
      }
      if (chance(0.01)) {
        const victim = runners[below(runners.length)];
        if (victim) victim.stoppedUntil = now + below(120_000);
      }
      if (chance(0.004)) {
        const at = below(servers.length);
        const old = servers[at];
        if (old) old.actor.alive = false;
        crashes++;
        servers[at] = started();
      }
      if (chance(0.004)) hints.splice(0);
    }
    for (let i = waiting.length - 1; i >= 0; i--) if (!waiting[i]?.actor.alive) waiting.splice(i, 1);
    const due = waiting.filter((w) => Math.max(w.at, w.actor.stoppedUntil) <= now);
    const next = due[below(due.length)];
    if (!next) {
      now = Math.min(...waiting.map((w) => Math.max(w.at, w.actor.stoppedUntil)));
      continue;
    }
    waiting.splice(waiting.indexOf(next), 1);
    next.run();
    if (chance(0.2)) now += below(20);
  }
  for (const [id, count] of commits) assert.equal(count, 1, `job ${id} was committed ${count} times`);
  for (const { id } of records()) {
    const numbers: number[] = [];
    const steps: string[] = [];
    for (const key of [...objects.keys()].filter((k) => k.startsWith(`jobs/${id}/events/`)).sort()) {
      const piece = unseal<{ events: JobEvent[] }>(objects.get(key)?.bytes ?? new Uint8Array());
      for (const event of piece?.value.events ?? []) {
        numbers.push(event.number);
        if (event.type === "metrics") steps.push(event.message);
      }
    }
    assert.deepEqual(numbers, numbers.map((_, i) => i + 1), "event numbers have no gap and no repeat");
    assert.equal(new Set(steps).size, steps.length, `a step was told twice: ${steps}`);
    if (latest.get(id)?.status === "succeeded") assert.equal(steps.length, STEPS, `a step was never told: ${steps}`);
  }
  const count = (status: string): number => records().filter((r) => r.status === status).length;
  return {
    jobs: ids.length,
    succeeded: count("succeeded"),
    failed: count("failed"),
    cancelled: count("cancelled"),
    leases,
    stale,
    crashes,
    rounds,
  };
}

/** Runs schedules; a failing one says its seed. Gives what all of them did, added up. */
export async function simulateMany(first: number, count: number): Promise<Record<keyof Outcome, number>> {
  const total = { jobs: 0, succeeded: 0, failed: 0, cancelled: 0, leases: 0, stale: 0, crashes: 0, rounds: 0 };
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await simulate(seed).catch((error) => {
      throw new Error(`Schedule of seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
    });
    for (const [key, value] of Object.entries(outcome)) total[key as keyof Outcome] += value;
  }
  return total;
}

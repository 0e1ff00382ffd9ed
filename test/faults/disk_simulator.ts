/**
 * Jobs down to the disk: two servers over one directory, its store and queue as they are, on a disk that a seed orders. Servers
 * are killed and stopped between any two calls of the file system, the power goes, the disk is full, handles run out, the
 * machine's clock jumps. Nothing may be committed twice, lost, or unreadable, and all jobs come to an end.
 */
import assert from "node:assert/strict";
import type { JobEvent } from "../../core/jobs/events.ts";
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
import { sealStore, unseal } from "../../core/jobs/sealed.ts";
import { storeQueue } from "../../core/jobs/store_queue.ts";
import type { Store } from "../../core/types.ts";
import { directoryStore } from "../../runtimes/host/directory_store.ts";
import { type Actor, type Schedule, scheduleOf } from "./schedule.ts";
import { type BrokenDisk, type SimulatedDisk, simulatedDisk } from "./simulated_disk.ts";

/** How often something happened. */
type Counts = {
  leases: number;
  stale: number;
  errors: number;
  kills: number;
  stops: number;
  powers: number;
  fulls: number;
};

/** What a schedule did. */
export type DiskOutcome = Readonly<
  Counts & {
    jobs: number;
    succeeded: number;
    failed: number;
    cancelled: number;
    turns: number;
  }
>;

const ROOT = "/store";
const [LEASE, STEPS] = [10, 2];
/** Faults stop after so many turns, so that everything must come to an end. */
const FAULTY = 1500;
const MOST_TURNS = 60_000;

type Server = Readonly<{ actor: Actor; jobs: Jobs; store: Store }>;
/** What the schedule knows of the jobs, whatever the servers say. */
type World = {
  readonly schedule: Schedule;
  readonly disk: SimulatedDisk;
  readonly servers: Server[];
  readonly broken: string[];
  /** The newest record of each job on the disk. */
  readonly latest: Map<string, JobRecord>;
  /** What somebody was told: jobs that are there, and who has finished them. */
  readonly made: Set<string>;
  readonly finished: Map<string, number>;
  readonly counts: Counts;
  /** The machine's clock, in milliseconds, by how much it is wrong. */
  skew: number;
  commit: typeof commitLease;
};

const recordAt = /\/records\/(?:~attune-after-)?(ftjob-[\w-]+)\.json(?:\/(\d+))?$/;

/** Looks at each version of a record in the moment in which it is made. */
function checkRecord({ latest, broken }: World, path: string, bytes: Uint8Array): void {
  const id = recordAt.exec(path)?.[1];
  const after = id === undefined ? undefined : unseal<JobRecord>(bytes)?.value;
  if (id === undefined) return;
  if (!after) return void broken.push(`${path} was made unreadable`);
  const before = latest.get(id);
  latest.set(id, after);
  if (before && isTerminal(before)) broken.push(`job ${id} changed from ${before.status} to ${after.status}`);
  if (after.token < (before?.token ?? 0)) broken.push(`the token of job ${id} fell`);
  if (after.status === "succeeded" && after.result?.token !== before?.token) {
    broken.push(`an old lease has committed job ${id}`);
  }
}

const faulty = ({ schedule }: World): boolean => schedule.turns() < FAULTY;

function started(world: World): Server {
  const { schedule, disk } = world;
  const actor = { alive: true, stoppedUntil: 0 };
  const store = directoryStore(ROOT, disk.filesFor(actor));
  const since = schedule.now();
  // A process's own clock, which begins with it; the time of the day is anything.
  const now = (): number => schedule.now() - since;
  const sealed = sealStore(store, (text) => void world.broken.push(text));
  const time = (): number => (schedule.now() + world.skew) / 1000;
  const random = (): string => String(schedule.below(1e9));
  const jobs = jobsIn({
    store,
    sealed,
    queue: storeQueue(store, now),
    now,
    time,
    leaseSeconds: LEASE,
    maxAttempts: 50,
    random,
  });
  void (async () => {
    while (true) {
      await jobs.watch().catch(() => world.counts.errors++);
      await schedule.wait(actor, 2000 + schedule.below(2000));
    }
  })();
  return { actor, jobs, store };
}

/** A call over the network: the answer may be lost, the request may arrive twice, the disk may fail under it. */
async function call<T>(world: World, actor: Actor, act: (server: Server) => Promise<T>): Promise<T | "lost"> {
  const { schedule: { below, chance, wait }, servers, counts } = world;
  const server = servers[below(servers.length)] as Server;
  const answers: ({ value: T } | "failed")[] = [];
  const send = (): void =>
    void act(server).then((value) => answers.push({ value }), () => {
      counts.errors++;
      answers.push("failed");
    });
  send();
  if (faulty(world) && chance(0.1)) send();
  const dropped = faulty(world) && chance(0.1);
  for (let patience = 0; patience < 30; patience++) {
    await wait(actor, 20 + below(200));
    const [answer] = answers;
    if (answer === "failed") break;
    if (answer && !dropped) return answer.value;
  }
  return "lost";
}

async function runner(world: World, actor: Actor, name: string): Promise<void> {
  const { schedule: { below, chance, wait }, counts } = world;
  while (true) {
    const job = await call(world, actor, ({ jobs }) => jobs.lease(name, () => true));
    if (job === "lost" || !job) await wait(actor, 500 + below(2000));
    else {
      counts.leases++;
      await work(job);
    }
  }
  async function work({ id, token, checkpoints }: JobRecord): Promise<void> {
    const change = async (apply: Parameters<Jobs["change"]>[1]): Promise<JobRecord | undefined> => {
      for (let tries = 0; tries < 8; tries++) {
        const done = await call(world, actor, ({ jobs }) => jobs.change(id, apply));
        if (done === "lost") continue;
        if (done?.refused === "stale") counts.stale++;
        return done?.refused === undefined ? done?.record : undefined;
      }
      return undefined;
    };
    const folder = `jobs/${id}/leases/${token}/`;
    for (let [step, from] = [checkpoints.at(-1)?.step ?? 0, 1]; step < STEPS; from++) {
      await wait(actor, 500 + below(3000));
      const current = ++step;
      const event = { at: 0, level: "info", type: "metrics", message: `step ${current}`, step: current } as const;
      const told = async (
        { jobs }: Server,
      ): Promise<"told"> => (await jobs.events(id).append([event], { token, from }), "told");
      while (await call(world, actor, told) === "lost");
      const record = await change((r) => renewLease(r, token, current, current));
      if (!record) return;
      const why = record.wants
        ? { reason: "shutdown" as const }
        : faulty(world) && chance(0.05)
        ? { reason: "failed" as const, retry: true, error: { code: "crashed", message: "out of memory", param: null } }
        : undefined;
      if (why) return void await change((r) => releaseLease(r, token, why, 0));
      if (step < STEPS) {
        const put = async ({ store }: Server): Promise<unknown> =>
          await store.put(`${folder}c${step}/state`, new Uint8Array(50).fill(step));
        if (await call(world, actor, put) === "lost") continue;
        const checkpoint = {
          id: `c${token}-${step}`,
          folder: `${folder}c${step}/`,
          files: ["state"],
          step,
          at: 0,
          metrics: {},
        };
        if (!await change((r) => addCheckpoint(r, token, checkpoint))) return;
      }
    }
    const done = await change((r) => world.commit(r, token, { folder, files: [], metrics: {} }, 0));
    if (done?.status === "succeeded") world.finished.set(id, token);
  }
}

async function user(world: World): Promise<void> {
  const { schedule: { below, chance, wait }, made: promised } = world;
  const actor = { alive: true, stoppedUntil: 0 };
  const prepared = (id: string) =>
    call(world, actor, ({ jobs }) => jobs.change(id, (r) => queueJob(r, { needs: r.needs, estimate: {} })));
  const count = 1 + below(2);
  while (promised.size < count) {
    const created = await call(world, actor, ({ jobs }) => jobs.create("t", {}, {}));
    if (created === "lost") continue;
    promised.add(created.id);
    await prepared(created.id);
    await wait(actor, below(5000));
    if (chance(0.2)) {
      const what = chance(0.5) ? "cancel" : "pause";
      await call(world, actor, ({ jobs }) => jobs.change(created.id, (r) => requestStop(r, what, 0)));
    }
  }
  // Afterwards everything is to come to an end: what is paused goes on, what was never queued is.
  while (true) {
    await wait(actor, 20_000);
    for (const id of world.latest.keys()) {
      await call(world, actor, ({ jobs }) => jobs.change(id, unpauseJob));
      await prepared(id);
    }
  }
}

/** What goes wrong before a turn. */
function harm(world: World, runners: Actor[], hire: () => void): void {
  const { schedule: { chance, below, now }, servers, disk, counts } = world;
  const { faults } = disk;
  const restart = (at: number): void => {
    const old = servers[at];
    if (old) old.actor.alive = false;
    counts.kills++;
    servers[at] = started(world);
  };
  if (!faulty(world)) return void Object.assign(faults, { room: Infinity, handles: 0 });
  if (chance(0.002)) restart(below(servers.length));
  if (chance(0.004)) {
    const { actor } = servers[below(servers.length)] as Server;
    actor.stoppedUntil = now() + below(30_000);
    counts.stops++;
  }
  if (chance(0.001)) {
    for (const { actor } of servers) actor.alive = false;
    disk.losePower();
    counts.powers++;
    remember(world);
    for (const at of servers.keys()) restart(at);
  }
  if (chance(0.002)) {
    const victim = runners[below(runners.length)];
    if (victim?.alive) {
      victim.alive = false;
      hire();
    }
  }
  if (chance(0.001)) world.skew = (below(21) - 10) * 86_400_000;
  // Full at any byte, until somebody makes room.
  if (faults.room > 1e6 ? chance(0.002) : chance(0.02)) {
    counts.fulls += faults.room > 1e6 ? 1 : 0;
    faults.room = faults.room > 1e6 ? below(1200) : Infinity;
  }
  if (chance(0.005)) faults.handles = faults.handles > 0 ? 0 : 0.05;
}

/** What is on the disk after it has lost power: nothing of it may be less than somebody was told. */
function remember(world: World): void {
  const { latest, broken, made, finished } = world;
  const records = recordsOf(world.disk, broken);
  for (const id of made) if (!records.has(id)) broken.push(`job ${id} was made, and is lost with the power`);
  for (const [id, token] of finished) {
    const { status, result } = records.get(id) ?? {};
    if (result?.token !== token) {
      broken.push(`job ${id} was finished by ${token}, and is ${status} by ${result?.token} now`);
    }
  }
  latest.clear();
  for (const [id, record] of records) latest.set(id, record);
}

/** The newest record of each job, read without the store. */
function recordsOf(disk: SimulatedDisk, broken: string[]): Map<string, JobRecord> {
  const newest = new Map<string, { number: number; record: JobRecord }>();
  for (const [path, bytes] of disk.all()) {
    const [, id, number = "0"] = recordAt.exec(path) ?? [];
    if (id === undefined || Number(number) < (newest.get(id)?.number ?? 0)) continue;
    const record = unseal<JobRecord>(bytes)?.value;
    if (record) newest.set(id, { number: Number(number), record });
    else broken.push(`${path} cannot be read any more`);
  }
  return new Map([...newest].map(([id, { record }]) => [id, record]));
}

/** Runs one schedule; throws where something breaks. */
export async function simulateDisk(
  seed: number,
  { commit = commitLease, disk: how }: Readonly<{ commit?: typeof commitLease; disk?: BrokenDisk }> = {},
): Promise<DiskOutcome> {
  const schedule = scheduleOf(seed);
  const world: World = {
    schedule,
    disk: simulatedDisk(
      schedule,
      () => schedule.now() + world.skew,
      (path, bytes) => checkRecord(world, path, bytes),
      how,
    ),
    servers: [],
    broken: [],
    latest: new Map(),
    made: new Set(),
    finished: new Map(),
    counts: { leases: 0, stale: 0, errors: 0, kills: 0, stops: 0, powers: 0, fulls: 0 },
    skew: 0,
    commit,
  };
  world.servers.push(started(world), started(world));
  const runners: Actor[] = [];
  const hire = (): void => {
    const actor = { alive: true, stoppedUntil: 0 };
    runners.push(actor);
    void runner(world, actor, `runner-${runners.length}`);
  };
  hire();
  hire();
  void user(world);
  const records = (): JobRecord[] => [...world.latest.values()];
  await schedule.run(() => {
    assert.deepEqual(world.broken, []);
    const all = records();
    if (!faulty(world) && all.length > 0 && all.length >= world.made.size && all.every(isTerminal)) return true;
    assert.ok(schedule.turns() < MOST_TURNS, `jobs hang: ${all.map((r) => `${r.id} ${r.status}`).join(", ")}`);
    harm(world, runners, hire);
    return false;
  });
  remember(world);
  checkEvents(world);
  assert.deepEqual(world.broken, []);
  const count = (status: string): number => records().filter((r) => r.status === status).length;
  return {
    jobs: records().length,
    succeeded: count("succeeded"),
    failed: count("failed"),
    cancelled: count("cancelled"),
    ...world.counts,
    turns: schedule.turns(),
  };
}

/** Every event of every job has the next number, every step was told once. */
function checkEvents({ disk, latest, broken }: World): void {
  for (const { id, status } of latest.values()) {
    const pieces = [...disk.all()].filter(([path]) => path.startsWith(`${ROOT}/jobs/${id}/events/0`)).sort();
    const events = pieces.flatMap(([path, bytes]) => {
      const piece = unseal<{ events: JobEvent[] }>(bytes)?.value;
      if (!piece) broken.push(`${path} cannot be read`);
      return piece?.events ?? [];
    });
    const numbers = events.map(({ number }) => number);
    const steps = events.filter(({ type }) => type === "metrics").map(({ message }) => message);
    if (numbers.some((number, i) => number !== i + 1)) broken.push(`event numbers of ${id}: ${numbers}`);
    if (new Set(steps).size !== steps.length) broken.push(`a step of ${id} was told twice: ${steps}`);
    if (status === "succeeded" && steps.length !== STEPS) broken.push(`a step of ${id} was never told: ${steps}`);
  }
}

/** Runs schedules; a failing one says its seed. Gives what all of them did, added up. */
export async function simulateDisks(first: number, count: number): Promise<Record<keyof DiskOutcome, number>> {
  let total: Record<string, number> = {};
  for (let seed = first; seed < first + count; seed++) {
    const outcome = await simulateDisk(seed).catch((error) => {
      throw new Error(`Schedule of seed ${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
    });
    total = Object.fromEntries(Object.entries(outcome).map(([key, value]) => [key, value + (total[key] ?? 0)]));
  }
  return total as Record<keyof DiskOutcome, number>;
}

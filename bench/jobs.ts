/**
 * The control plane of jobs: `node bench/jobs.ts [directory] [nats://127.0.0.1:4222] [sse]`. Prints one JSON line each.
 */
import { mkdtempSync } from "node:fs";
import http from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { jobsIn } from "../core/jobs/jobs.ts";
import { commitLease, queueJob, renewLease } from "../core/jobs/record.ts";
import { openJobStore } from "../runtimes/jobs/job_store.ts";
import { createApp, keysOf } from "../runtimes/serve/app.ts";
import { folderModels } from "../runtimes/serve/folder_models.ts";
import { openJobs } from "../runtimes/jobs/jobs_server.ts";
import { listen } from "../runtimes/host/listen.ts";
import { hostHere } from "../runtimes/host/train.ts";

const JOBS = 1000;
const CLIENTS = Number(process.env.CLIENTS ?? 1000);
const host = await hostHere();
const asked = process.argv.slice(2);
const print = (figures: object): void => void process.stdout.write(`${JSON.stringify(figures)}\n`);

/** Queues 1,000 jobs, which four runners then lease, renew and commit one after the other. */
async function controlPlane(name: string, address: string): Promise<void> {
  const { store, queue, close } = await openJobStore(address, host);
  const clock = { now: () => performance.now(), time: () => Date.now() / 1000 };
  const jobs = jobsIn({ store, queue, ...clock, leaseSeconds: 30, maxAttempts: 3 });
  const started = performance.now();
  for (let i = 0; i < JOBS; i++) {
    const { id } = await jobs.create("default", { model: "m" }, { version: 1 });
    await jobs.change(id, (r) => queueJob(r, { needs: r.needs, estimate: {} }));
  }
  const filled = performance.now();
  await jobs.watch();
  const watched = performance.now();
  let done = 0;
  const leases: number[] = [];
  await Promise.all(Array.from({ length: 4 }, async (_, i) => {
    for (;;) {
      const before = performance.now();
      const job = await jobs.lease(`runner-${i}`, () => true);
      if (!job) return;
      leases.push(performance.now() - before);
      await jobs.change(job.id, (r) => renewLease(r, job.token, 1, 1));
      const result = { folder: "r/", files: [], metrics: {} };
      await jobs.change(job.id, (r) => commitLease(r, job.token, result, 0));
      done++;
    }
  }));
  const seconds = (performance.now() - watched) / 1000;
  leases.sort((a, b) => a - b);
  print({
    store: name,
    jobs: done,
    createdPerSecond: Math.round(JOBS / ((filled - started) / 1000)),
    watchMs: Math.round(watched - filled),
    donePerSecond: Math.round(done / seconds),
    leaseMedianMs: Number(leases[leases.length >> 1]?.toFixed(2)),
  });
  await close();
}

/** Measures 1,000 clients that wait for events of one job. */
async function idleClients(): Promise<void> {
  const store = mkdtempSync(join(tmpdir(), "attune-bench-"));
  const keys = keysOf({ api: "key", runner: "runner-token" });
  const models = folderModels(undefined, host);
  const server = await openJobs({ host, store, models });
  const { id } = await server.jobs.create("default", { model: "m" }, {});
  const { port, close } = await listen(
    createApp({ catalog: {}, keys, models, jobs: server }).fetch,
    { port: 0, hostname: "127.0.0.1" },
  );
  const collect = (globalThis as { gc?: () => void }).gc ?? ((): void => {});
  collect();
  const before = process.memoryUsage().rss;
  let heard = 0;
  const sockets: http.ClientRequest[] = [];
  const agent = new http.Agent({ maxSockets: Infinity });
  for (let i = 0; i < CLIENTS; i++) {
    const path = `/v1/fine_tuning/jobs/${id}/events`;
    const headers = { authorization: "Bearer key", accept: "text/event-stream" };
    const request = http.get({ port, path, headers, agent }, (answer) => answer.once("data", () => heard++));
    request.on("error", () => {});
    sockets.push(request);
  }
  while (heard < CLIENTS) await new Promise((resolve) => setTimeout(resolve, 50));
  await new Promise((resolve) => setTimeout(resolve, 3000));
  collect();
  const rss = process.memoryUsage().rss - before;
  const cpu = process.cpuUsage();
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const { user, system } = process.cpuUsage(cpu);
  print({
    sseClients: heard,
    mebibytes: Math.round(rss / 2 ** 20),
    kibPerClient: Math.round(rss / 1024 / CLIENTS),
    cpuPercentIdle: Number(((user + system) / 5e4).toFixed(1)),
    note: "server and clients in one process",
  });
  for (const request of sockets) request.destroy();
  await close();
}

for (const what of asked.length > 0 ? asked : ["directory", "sse"]) {
  if (what === "sse") await idleClients();
  else await controlPlane(what, what === "directory" ? mkdtempSync(join(tmpdir(), "attune-bench-")) : what);
}
process.exit(0);

/** One job on a runner: download inputs, train in another thread, report, send checkpoints, commit once. */
import { readFile, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AttuneError } from "../../core/base/errors.ts";
import { sha256 } from "../../core/base/sha256.ts";
import type { TrainingEvent } from "../../core/types.ts";
import { makeFolder } from "../host/make_folder.ts";
import { trainInWorker } from "../host/train.ts";
import type { Lease } from "./client.ts";
import { fetchCheckpoint, filesBelow, type InputOptions, isResult, localSpec } from "./inputs.ts";
import { placeBelow } from "./places.ts";
import { type Progress, uplink } from "./uplink.ts";

/** Options of running jobs. `work` also contains each job's output. */
export type JobOptions =
  & InputOptions
  & Readonly<{
    threads?: number;
    /** Paths of the packages in the catalog. */
    packages: readonly string[];
    /** Aborted when the runner shuts down. */
    signal: AbortSignal;
    report: (text: string) => void;
  }>;

/** Runs a leased job until it ends in whatever way, and reports that to the server. */
export async function runJob(lease: Lease, options: JobOptions): Promise<void> {
  const { client, report } = options;
  // Part of the token is enough to tell leases apart, and does not let readers of the folder's name act as the holder.
  const output = await placeBelow(options.work, [
    "jobs",
    `${lease.id}-${(await sha256(lease.token)).slice(0, 16)}`,
    "output",
  ]);
  const folder = dirname(output);
  try {
    await train(lease, output, options);
  } catch (error) {
    const [code, message] = error instanceof AttuneError
      ? [error.code, error.sentence]
      : ["crashed", error instanceof Error ? error.message : String(error)];
    report(`${lease.id}: ${message}`);
    if (code === "LEASE_LOST") return;
    // A fault in the job itself would occur again.
    const retry = !(error instanceof AttuneError) || code === "DISK_FULL" || code === "STORE";
    const failure = { code: code.toLowerCase(), message: message.slice(0, 4000), param: null };
    await client.release(lease, { reason: "failed", retry, error: failure }).catch((why) =>
      report(`${lease.id}: ${why}`)
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function train(lease: Lease, output: string, options: JobOptions): Promise<void> {
  const { client, signal, threads, report, packages } = options;
  const progress: Progress = { step: lease.checkpoint?.step ?? 0, tokens: 0, totalSteps: undefined, metrics: {} };
  const stop = new AbortController();
  const shutDown = (): void => stop.abort("shutdown");
  signal.addEventListener("abort", shutDown, { once: true });
  if (signal.aborted) shutDown();
  await makeFolder(output);
  const line = uplink({ lease, client, output, progress, stop, report });
  try {
    const { spec, displayNames } = await localSpec(lease, options);
    await fetchCheckpoint(lease, client, output);
    const work = { output, resume: true, threads, displayNames, plugins: packages, signal: stop.signal };
    const before = await tokensUntil(output, progress.step);
    let end: Extract<TrainingEvent, { type: "end" }> | undefined;
    for await (const event of trainInWorker(spec, work)) {
      if (event.type === "start") Object.assign(progress, { totalSteps: event.totalSteps, tokens: before });
      if (event.type === "step") Object.assign(progress, { step: event.step, tokens: progress.tokens + event.tokens });
      if (event.type === "evaluate") progress.metrics = event.metrics;
      if (event.type === "checkpoint") line.checkpoint(event.step, event.name);
      if (event.type === "end") end = event;
      if (event.type !== "examples") line.send(event);
    }
    await line.flushed();
    const why: unknown = stop.signal.reason;
    if (why instanceof AttuneError) throw why;
    if (end?.reason === "diverged") {
      throw new AttuneError(end.message ?? "The run diverged", { code: "DIVERGED", plugin: "runner" });
    }
    if (end?.reason === "interrupted") {
      const reason = why === "cancel" ? "cancelled" : why === "pause" ? "paused" : "shutdown";
      report(`${lease.id}: ${reason} at step ${progress.step}`);
      return await client.release(lease, { reason });
    }
    await client.heartbeat(lease, progress.step, progress.tokens);
    const files: { path: string; bytes: number }[] = [];
    for (const path of (await filesBelow(output)).filter(isResult)) {
      files.push({ path, bytes: await client.send(lease, path, join(output, path)) });
    }
    await client.commit(lease, files, end?.metrics ?? {});
    report(`${lease.id}: done at step ${progress.step}`);
  } finally {
    line.close();
    signal.removeEventListener("abort", shutDown);
  }
}

/** Returns the number of tokens that a resumed run has already trained on, from its log. */
async function tokensUntil(output: string, step: number): Promise<number> {
  const text = await readFile(join(output, "log.jsonl"), "utf8").catch(() => "");
  let tokens = 0;
  for (const line of text.split("\n")) {
    try {
      const event = JSON.parse(line) as { type: string; step: number; tokens: number };
      if (event.type === "step" && event.step <= step) tokens += event.tokens;
    } catch {
      // an incomplete last line
    }
  }
  return tokens;
}

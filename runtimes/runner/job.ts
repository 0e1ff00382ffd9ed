/**
 * One job on a runner: fetch, train in another thread, tell, send checkpoints, commit once.
 * @module
 */
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { compose } from "../../core/compose.ts";
import { AttuneError, badValue, refused } from "../../core/errors.ts";
import type { Catalog, Json, Named, RunSpec, TrainingEvent } from "../../core/types.ts";
import { catalog } from "../../plugins/catalog.ts";
import { trainInWorker } from "../train.ts";
import type { Lease, RunnerClient, Wants } from "./client.ts";

/** How jobs are run. */
export type JobOptions = Readonly<{
  client: RunnerClient;
  /** Where files and models are kept, and jobs work. */
  work: string;
  /** Models that are here already. */
  models?: string;
  /** Names of plugins that jobs may use; absent: all of the catalog's. */
  plugins?: ReadonlySet<string>;
  threads?: number;
  /** Aborted when the runner shuts down. */
  signal: AbortSignal;
  tell: (text: string) => void;
}>;

/** How often a busy loop sends what has been told, in milliseconds. */
const TELL = 100;

/** Does a leased job to its end, whatever that is, and tells the server. */
export async function runJob(lease: Lease, options: JobOptions): Promise<void> {
  const { client, tell } = options;
  const folder = join(options.work, "jobs", lease.id, String(lease.token));
  try {
    await train(lease, folder, options);
  } catch (error) {
    const code = error instanceof AttuneError ? error.code : "crashed";
    const message = error instanceof Error ? error.message : String(error);
    tell(`${lease.id}: ${message}`);
    if (code === "LEASE_LOST") return;
    // What is wrong with the job itself is wrong the next time, too.
    const retry = !(error instanceof AttuneError) || code === "DISK_FULL" || code === "STORE";
    const own = { code: code.toLowerCase(), message: message.slice(0, 4000), param: null };
    await client.release(lease, { reason: "failed", retry, error: own }).catch((why) => tell(`${lease.id}: ${why}`));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function train(lease: Lease, folder: string, options: JobOptions): Promise<void> {
  const { client, signal, threads, tell } = options;
  const output = join(folder, "output");
  const state = { step: lease.checkpoint?.step ?? 0, tokens: 0, totalSteps: undefined as number | undefined };
  const stop = new AbortController();
  let wants: Wants = null;
  let lost: unknown;
  const heard = (answer: Wants): void => {
    wants ??= answer;
    if (answer) stop.abort();
  };
  const failed = (error: unknown): void => {
    // Only the server's word ends a run: while it cannot be reached the work goes on.
    if (!(error instanceof AttuneError && error.code === "LEASE_LOST")) return tell(`${lease.id}: ${error}`);
    lost = error;
    stop.abort();
  };
  const shutDown = (): void => stop.abort();
  signal.addEventListener("abort", shutDown, { once: true });
  // This thread only waits for the network; the one that trains may block as long as it likes.
  const heart = setInterval(
    () => void client.heartbeat(lease, state.step, state.tokens).then(heard, failed),
    1000 * lease.heartbeatSeconds,
  );
  try {
    const spec = await resolved(lease.spec, options);
    allowed(spec, options.plugins);
    await mkdir(output, { recursive: true });
    for (const path of lease.checkpoint?.files ?? []) {
      const from = `${lease.checkpoint?.folder.replace(/^jobs\/[^/]+\//, "")}${path}`;
      await client.fetchTo(`/jobs/${lease.id}/${from}`, join(output, path));
    }
    if (signal.aborted) stop.abort();
    const teller = telling(lease, client, state, heard, failed);
    const sender = sending(lease, client, output, failed);
    let end: Extract<TrainingEvent, { type: "end" }> | undefined;
    const started = tokensUntil(output, state.step);
    for await (const event of trainInWorker(spec, { output, resume: true, threads, signal: stop.signal })) {
      if (event.type === "start") Object.assign(state, { totalSteps: event.totalSteps, tokens: await started });
      if (event.type === "step") Object.assign(state, { step: event.step, tokens: state.tokens + event.tokens });
      if (event.type === "evaluate") sender.metrics = event.metrics;
      if (event.type === "checkpoint") sender.checkpoint(event.step, event.name);
      if (event.type === "end") end = event;
      if (event.type !== "examples") teller.tell(event);
    }
    if (lost) throw lost;
    await teller.done();
    await sender.done();
    if (lost) throw lost;
    if (end?.reason === "diverged") {
      throw new AttuneError(end.message ?? "The run diverged", { code: "DIVERGED", plugin: "runner" });
    }
    if (end?.reason === "interrupted") {
      const reason = wants === "cancel" ? "cancelled" : wants === "pause" ? "paused" : "shutdown";
      tell(`${lease.id}: ${reason} at step ${state.step}`);
      return await client.release(lease, { reason });
    }
    await client.heartbeat(lease, state.step, state.tokens);
    const files: { path: string; bytes: number }[] = [];
    for (const path of await resultsIn(output)) {
      files.push({ path, bytes: await client.send(lease, path, join(output, path)) });
    }
    await client.commit(lease, files, end?.metrics ?? {});
    tell(`${lease.id}: done at step ${state.step}`);
  } finally {
    clearInterval(heart);
    signal.removeEventListener("abort", shutDown);
  }
}

/** Tells events in order, as fast as the server takes them. */
function telling(
  lease: Lease,
  client: RunnerClient,
  state: Readonly<{ totalSteps: number | undefined }>,
  heard: (wants: Wants) => void,
  failed: (error: unknown) => void,
): { tell(event: TrainingEvent): void; done(): Promise<void> } {
  let waiting: TrainingEvent[] = [];
  let from = 1;
  let running: Promise<void> | undefined;
  const send = async (): Promise<void> => {
    while (waiting.length > 0) {
      const events = waiting.slice(0, 1000);
      waiting = waiting.slice(events.length);
      await client.events(lease, from, events, state.totalSteps).then(heard, failed);
      from += events.length;
      if (waiting.length < 1000) await new Promise((resolve) => setTimeout(resolve, TELL));
    }
    running = undefined;
  };
  return {
    tell: (event) => {
      waiting.push(event);
      running ??= send();
    },
    done: async () => {
      while (running) await running;
    },
  };
}

/** Sends checkpoints one after the other; where they come faster than they can be sent, only the newest. */
function sending(
  lease: Lease,
  client: RunnerClient,
  output: string,
  failed: (error: unknown) => void,
): { metrics: Named<number>; checkpoint(step: number, name: string): void; done(): Promise<void> } {
  let next: { step: number; name: string } | undefined;
  let running: Promise<void> | undefined;
  const own = {
    metrics: {} as Named<number>,
    checkpoint: (step: number, name: string): void => {
      next = { step, name };
      running ??= send();
    },
    done: async (): Promise<void> => {
      while (running) await running;
    },
  };
  const send = async (): Promise<void> => {
    while (next) {
      const { step, name } = next;
      next = undefined;
      try {
        const folder = `${name}/`;
        // The log as it is now is longer than the checkpoint needs: resuming cuts it back.
        const files = [...(await readdir(join(output, "checkpoints", name))).map((f) => `checkpoints/${name}/${f}`)];
        files.push("log.jsonl");
        for (const file of files) await client.send(lease, `${folder}${file}`, join(output, file));
        await client.checkpoint(lease, step, folder, files, own.metrics);
      } catch (error) {
        // Rotated away while it was sent: a newer one is on its way.
        if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) failed(error);
      }
    }
    running = undefined;
  };
  return own;
}

/** The spec with names of files and of the model as paths on this machine, fetched where they are missing. */
async function resolved(spec: Named<Json>, { client, work, models }: JobOptions): Promise<Named<Json>> {
  const data: Record<string, Json> = {};
  for (const [key, source] of Object.entries((spec.data ?? {}) as Named<Named<Json>>)) {
    const id = (source.with as Named<Json> | undefined)?.path;
    if (source.use !== "jsonl" || typeof id !== "string" || !/^file-[\w-]{1,64}$/.test(id)) {
      throw badValue("runner", `data.${key}`, source, "an uploaded file");
    }
    const file = join(work, "files", `${id}.jsonl`);
    if (!existsSync(file)) await client.fetchTo(`/files/${id}`, file);
    data[key] = { use: "jsonl", with: { path: file } };
  }
  const model = (spec.model as { with?: Named<Json> } | undefined)?.with?.path;
  if (typeof model !== "string" || !/^[\w][\w.-]*(\/[\w][\w.-]*)?$/.test(model)) {
    throw badValue("runner", "model", model, "a model's name");
  }
  const here = models === undefined ? undefined : join(models, model);
  const path = here !== undefined && existsSync(join(here, "config.json")) ? here : await fetched(model, client, work);
  return { ...spec, model: { use: "pretrained", with: { path } }, data, loggers: ["jsonl", "report"] };
}

async function fetched(model: string, client: RunnerClient, work: string): Promise<string> {
  const folder = join(work, "models", ...model.split("/"));
  for (const { path, bytes } of await client.modelFiles(model)) {
    const parts = path.split("/");
    if (parts.some((p) => p === "" || p === "." || p === ".." || /[\\:\0]/.test(p))) {
      throw badValue("runner", `model ${model}`, path, "a plain relative path");
    }
    const file = join(folder, ...parts);
    const known = await stat(file).catch(() => undefined);
    if (known?.size === bytes) continue;
    await client.fetchTo(`/models/file?name=${encodeURIComponent(model)}&path=${encodeURIComponent(path)}`, file);
  }
  return folder;
}

/** Throws where a job names a plugin that this runner may not load. */
function allowed(spec: Named<Json>, plugins: ReadonlySet<string> | undefined): void {
  if (!plugins) return void compose(spec as unknown as RunSpec, catalog);
  const some = Object.fromEntries(
    Object.entries(catalog).map(([kind, entries]) => [
      kind,
      Object.fromEntries(Object.entries(entries ?? {}).filter(([name]) => plugins.has(name))),
    ]),
  ) as Catalog;
  try {
    compose(spec as unknown as RunSpec, some);
  } catch (error) {
    throw refused("runner", `This runner may not run it: ${error instanceof Error ? error.message : error}`);
  }
}

/** What a finished run leaves, but for what only resuming needs and what names paths of this machine. */
async function resultsIn(output: string): Promise<string[]> {
  const all = await readdir(output, { recursive: true, withFileTypes: true });
  const files = all.filter((e) => e.isFile()).map((e) => join(e.parentPath, e.name).slice(output.length + 1));
  return files.map((f) => f.replaceAll("\\", "/")).filter((f) => !/^(checkpoints\/|spec\.json$|\.)/.test(f)).sort();
}

/** Tokens of the steps before a run goes on, from its log. */
async function tokensUntil(output: string, step: number): Promise<number> {
  const { readFile } = await import("node:fs/promises");
  const text = await readFile(join(output, "log.jsonl"), "utf8").catch(() => "");
  let tokens = 0;
  for (const line of text.split("\n")) {
    try {
      const event = JSON.parse(line) as { type: string; step: number; tokens: number };
      if (event.type === "step" && event.step <= step) tokens += event.tokens;
    } catch {
      // a torn last line
    }
  }
  return tokens;
}

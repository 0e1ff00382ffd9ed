/**
 * What a runner says to its server. What fails on the way is tried again; what the server refuses is not.
 * @module
 */
import { createReadStream } from "node:fs";
import { open, rename, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { AttuneError } from "../../core/errors.ts";
import type { Json, Named, TrainingEvent } from "../../core/types.ts";
import { makeFolder } from "../make_folder.ts";

/** A job as it is leased. */
export type Lease = Readonly<{
  id: string;
  token: number;
  spec: Named<Json>;
  step: number;
  checkpoint: Readonly<{ step: number; folder: string; files: readonly string[] }> | null;
  leaseSeconds: number;
  heartbeatSeconds: number;
}>;

/** What its user wants of a job. */
export type Wants = "cancel" | "pause" | null;

/**
 * A runner's line to its server. Everything throws AttuneError: `LEASE_LOST` where another has the job, `BAD_TOKEN` where the
 * server does not know this runner, `REFUSED` else.
 */
export interface RunnerClient {
  /** Asks once for a job. Throws where the server cannot be reached. */
  lease(waitSeconds: number, signal?: AbortSignal): Promise<Lease | undefined>;
  /** With a signal, the server may keep the answer for as long as there is nothing to tell. */
  heartbeat(lease: Lease, step: number, trainedTokens: number, held?: AbortSignal): Promise<Wants>;
  events(lease: Lease, from: number, events: readonly TrainingEvent[], totalSteps?: number): Promise<Wants>;
  /** Sends a file of a job; gives its size. */
  send(lease: Lease, path: string, file: string): Promise<number>;
  checkpoint(
    lease: Lease,
    step: number,
    folder: string,
    files: readonly string[],
    metrics: Named<number>,
  ): Promise<void>;
  commit(
    lease: Lease,
    files: readonly Readonly<{ path: string; bytes: number }>[],
    metrics: Named<number>,
  ): Promise<void>;
  release(lease: Lease, why: Named<Json>): Promise<void>;
  /** Gets what a job's path gives into a file. */
  fetchTo(lease: Lease, path: string, file: string): Promise<void>;
  modelFiles(lease: Lease, name: string): Promise<readonly Readonly<{ path: string; bytes: number }>[]>;
}

/** How a client reaches its server. `patienceSeconds`: for how long a call is tried again. */
export type ClientOptions = Readonly<{
  server: string;
  token: string;
  name: string;
  capabilities: Readonly<{ providers: readonly string[]; memoryBytes: number; plugins?: readonly string[] }>;
  fetch?: typeof fetch;
  patienceSeconds?: number;
}>;

/** A server that says nothing for so long has not heard. */
const ANSWER_SECONDS = 10;

/** A lease as the server wrote it. */
function leaseIn(text: string, server: string): Lease {
  try {
    const lease = JSON.parse(text) as Lease;
    if (typeof lease.id === "string" && typeof lease.token === "number") return lease;
  } catch {
    // some other server's page
  }
  throw new AttuneError(`${server} does not answer as a server of jobs does`, { code: "REFUSED", plugin: "runner" });
}

/** A client. */
export function runnerClient(options: ClientOptions): RunnerClient {
  const { server, token, name, capabilities, patienceSeconds = 60 } = options;
  const base = `${server.replace(/\/+$/, "")}/v1/runners`;
  const request = options.fetch ?? fetch;
  const once = async (path: string, init: RequestInit): Promise<Response> => {
    const headers = { authorization: `Bearer ${token}`, ...init.headers as Record<string, string> };
    const answer = await request(`${base}${path}`, { ...init, headers });
    if (answer.ok) return answer;
    const text = await answer.text();
    let message = text.slice(0, 300);
    try {
      message = JSON.parse(text).error.message;
    } catch {
      // not the server's own answer
    }
    if (answer.status === 409) throw new AttuneError(message, { code: "LEASE_LOST", plugin: "runner" });
    if (answer.status === 401 || answer.status === 403) {
      throw new AttuneError(`${server} refuses the token: ${message}`, { code: "BAD_TOKEN", plugin: "runner" });
    }
    if (answer.status < 500 && answer.status !== 429) {
      throw new AttuneError(`${path}: ${message}`, { code: "REFUSED", plugin: "runner" });
    }
    throw new Error(`${path}: ${answer.status} ${message}`);
  };
  const call = async (path: string, init: () => RequestInit, signal?: AbortSignal): Promise<Response> => {
    const until = performance.now() + 1000 * patienceSeconds;
    for (let wait = 100;; wait = Math.min(2 * wait, 5000)) {
      try {
        return await once(path, init());
      } catch (error) {
        if (error instanceof AttuneError || signal?.aborted || performance.now() > until) throw error;
        await sleep(wait * (0.5 + Math.random()), undefined, signal ? { signal } : {});
      }
    }
  };
  /** `waits`: for how many seconds the server may keep the answer. */
  const post = (path: string, body: unknown, waits = 0, signal?: AbortSignal, send = call): Promise<Response> =>
    send(path, () => {
      const late = AbortSignal.timeout(1000 * (waits + ANSWER_SECONDS));
      return {
        method: "POST",
        body: JSON.stringify(body),
        headers: { "content-type": "application/json" },
        signal: signal ? AbortSignal.any([signal, late]) : late,
      };
    }, signal);
  const job = ({ id }: Lease, what: string): string => `/jobs/${id}/${what}`;
  const encoded = (path: string): string => path.split("/").map(encodeURIComponent).join("/");

  return {
    lease: async (waitSeconds, signal) => {
      // Once: who asks for work has time, and wants to say where it finds nobody.
      const ask = (path: string, init: () => RequestInit): Promise<Response> => once(path, init());
      const answer = await post("/lease", { runner: name, capabilities, waitSeconds }, waitSeconds, signal, ask);
      return answer.status === 204 ? undefined : leaseIn(await answer.text(), server);
    },
    heartbeat: async (lease, step, trainedTokens, held) => {
      const waitSeconds = held ? Math.min(lease.heartbeatSeconds, 25) : 0;
      const body = { token: lease.token, step, trainedTokens, waitSeconds };
      const answer = await post(job(lease, "heartbeat"), body, waitSeconds, held);
      return (await answer.json() as { wants: Wants }).wants;
    },
    events: async (lease, from, events, totalSteps) => {
      const body = { token: lease.token, from, events, ...(totalSteps === undefined ? {} : { totalSteps }) };
      return (await (await post(job(lease, "events"), body)).json() as { wants: Wants }).wants;
    },
    send: async (lease, path, file) => {
      const { size } = await stat(file);
      await call(`${job(lease, "files")}/${encoded(path)}?token=${lease.token}`, () => ({
        method: "PUT",
        // A log may grow while it is sent.
        body: size === 0
          ? new Uint8Array()
          : Readable.toWeb(createReadStream(file, { end: size - 1 })) as ReadableStream,
        headers: { "content-length": String(size) },
        duplex: "half",
      } as RequestInit));
      return size;
    },
    checkpoint: async (lease, step, folder, files, metrics) => {
      await post(job(lease, "checkpoints"), { token: lease.token, step, folder, files, metrics });
    },
    commit: async (lease, files, metrics) => {
      await post(job(lease, "commit"), { token: lease.token, files, metrics });
    },
    release: async (lease, why) => {
      await post(job(lease, "release"), { token: lease.token, ...why });
    },
    fetchTo: async (lease, path, file) => {
      const answer = await call(job(lease, path), () => ({}));
      await makeFolder(dirname(file));
      const temporary = `${file}.part`;
      const handle = await open(temporary, "w");
      try {
        if (answer.body) {
          for await (const part of answer.body as unknown as AsyncIterable<Uint8Array>) await handle.write(part);
        }
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
    },
    modelFiles: async (lease, name) => {
      const query = `name=${encodeURIComponent(name)}&token=${lease.token}`;
      const answer = await call(job(lease, `models?${query}`), () => ({}));
      return (await answer.json() as { files: { path: string; bytes: number }[] }).files;
    },
  };
}

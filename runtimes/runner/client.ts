/** A runner's requests to its server. Network failures are retried, refusals are not. */
import { createReadStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import process from "node:process";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { AttuneError } from "../../core/base/errors.ts";
import { isJobId, isToken, pathParts, plainPath } from "../../core/jobs/names.ts";
import type { Json, Named, TrainingEvent } from "../../core/types.ts";

/** A leased job. */
export type Lease = Readonly<{
  id: string;
  token: string;
  spec: Named<Json>;
  step: number;
  checkpoint: Readonly<{ step: number; folder: string; files: readonly string[] }> | null;
  leaseSeconds: number;
  heartbeatSeconds: number;
}>;

/** A file of a model. Its revision changes with its bytes. */
export type ModelFile = Readonly<{ path: readonly string[]; bytes: number; revision: string }>;

/** The user's pending request to stop a job. */
export type StopRequest = "cancel" | "pause" | null;

/**
 * A runner's connection to its server. All methods throw AttuneError: `LEASE_LOST` if another runner has the job,
 * `BAD_TOKEN` if the server does not know this runner, `REFUSED` otherwise.
 */
export interface RunnerClient {
  /** Asks once for a job. Throws if the server cannot be reached. */
  lease(waitSeconds: number, signal?: AbortSignal): Promise<Lease | undefined>;
  /** Sends a heartbeat. With a signal, the server may delay the response while there is nothing to report. */
  heartbeat(lease: Lease, step: number, trainedTokens: number, held?: AbortSignal): Promise<StopRequest>;
  events(lease: Lease, from: number, events: readonly TrainingEvent[], totalSteps?: number): Promise<StopRequest>;
  /** Sends a file of a job; returns its size. */
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
  /** Downloads a job's path to a file, which must have `bytes` bytes if that is given. */
  fetchTo(lease: Lease, path: string, file: string, bytes?: number): Promise<void>;
  modelFiles(lease: Lease, name: string): Promise<readonly ModelFile[]>;
}

/** Options of a client. `patienceSeconds`: how long a request is retried. */
export type ClientOptions = Readonly<{
  server: string;
  token: string;
  name: string;
  capabilities: Readonly<{ providers: readonly string[]; memoryBytes: number; plugins?: readonly string[] }>;
  fetch?: typeof fetch;
  patienceSeconds?: number;
}>;

/** Timeout for a response, in seconds. */
const ANSWER_SECONDS = 10;

/** Most bytes of a file without a known length: uploads, and files that an earlier lease has left. */
const MOST_BYTES = { uploads: 4 * 2 ** 30, leases: 64 * 2 ** 30 } as const;

/** An interval that a server sets, in seconds, within sensible limits. */
const seconds = v.pipe(v.number(), v.finite(), v.transform((n) => Math.min(Math.max(n, 0.05), 3600)));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const path = v.pipe(v.string(), v.check((text) => pathParts(text) !== undefined, "a plain relative path"));
const leaseSchema = v.object({
  id: v.custom<string>(isJobId, "the id of a job"),
  token: v.pipe(v.union([v.string(), count]), v.transform(String), v.check((text: string) => isToken(text), "a token")),
  spec: v.custom<Named<Json>>((spec) => typeof spec === "object" && spec !== null && !Array.isArray(spec)),
  step: count,
  checkpoint: v.nullable(v.object({
    step: count,
    folder: v.pipe(v.string(), v.check((text) => pathParts(text.replace(/\/$/, "")) !== undefined, "a plain path")),
    files: v.pipe(v.array(path), v.maxLength(10_000)),
  })),
  leaseSeconds: seconds,
  heartbeatSeconds: seconds,
});
const modelSchema = v.object({
  files: v.pipe(v.array(v.object({ path: v.string(), bytes: count, revision: v.string() })), v.maxLength(10_000)),
});

/** Parses a server's lease. Throws AttuneError if one of its paths or numbers is invalid. */
function leaseIn(text: string, server: string): Lease {
  const refused = (why: string): AttuneError =>
    new AttuneError(`${server} does not answer like a job server${why}`, { code: "REFUSED", plugin: "runner" });
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw refused("");
  }
  const { success, output, issues } = v.safeParse(leaseSchema, body);
  if (success) return output;
  const [issue] = issues;
  throw refused(`: ${v.getDotPath(issue) ?? "its lease"}: ${issue.message}`);
}

/** Returns a client. */
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
      // not the server's own response
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
  /** `waits`: the seconds that the server may delay the response. */
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
      // Not retried: the caller asks again, and reports that it finds no server.
      const ask = (path: string, init: () => RequestInit): Promise<Response> => once(path, init());
      const answer = await post("/lease", { runner: name, capabilities, waitSeconds }, waitSeconds, signal, ask);
      return answer.status === 204 ? undefined : leaseIn(await answer.text(), server);
    },
    heartbeat: async (lease, step, trainedTokens, signal) => {
      const waitSeconds = signal ? Math.min(lease.heartbeatSeconds, 25) : 0;
      const body = { token: lease.token, step, trainedTokens, waitSeconds };
      const answer = await post(job(lease, "heartbeat"), body, waitSeconds, signal);
      return (await answer.json() as { wants: StopRequest }).wants;
    },
    events: async (lease, from, events, totalSteps) => {
      const body = { token: lease.token, from, events, ...(totalSteps === undefined ? {} : { totalSteps }) };
      return (await (await post(job(lease, "events"), body)).json() as { wants: StopRequest }).wants;
    },
    send: async (lease, path, file) => {
      const { size } = await stat(file);
      await call(`${job(lease, "files")}/${encoded(path)}?token=${encodeURIComponent(lease.token)}`, () => ({
        method: "PUT",
        // A log may grow while it is being sent.
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
    fetchTo: async (lease, path, file, bytes) => {
      const at = `${path}${path.includes("?") ? "&" : "?"}token=${encodeURIComponent(lease.token)}`;
      const answer = await call(job(lease, at), () => ({}));
      const temporary = `${file}.${process.pid}-${crypto.randomUUID()}.part`;
      try {
        const size = await writeAnswer(
          answer,
          temporary,
          bytes ?? MOST_BYTES[path.startsWith("uploads/") ? "uploads" : "leases"],
        );
        if (bytes !== undefined && size !== bytes) {
          // The file may have changed meanwhile: the next attempt requests it again.
          throw new Error(`${server} gave ${size} bytes of ${path}, not the ${bytes} that it announced`);
        }
        await rename(temporary, file);
      } finally {
        await rm(temporary, { force: true });
      }
    },
    modelFiles: async (lease, name) => {
      const query = `name=${encodeURIComponent(name)}&token=${encodeURIComponent(lease.token)}`;
      const answer = await call(job(lease, `models?${query}`), () => ({}));
      const { files } = v.parse(modelSchema, await answer.json());
      // Names that begin with a dot are no part of a model, and not plain paths.
      return files.filter(({ path }) => !/(^|\/)\.[^./\\]/.test(path))
        .map((file) => ({ ...file, path: plainPath("runner", `model ${name}`, file.path) }));
    },
  };
}

/** Writes a response to a new file, at most `most` bytes; returns their number. */
async function writeAnswer(answer: Response, file: string, most: number): Promise<number> {
  const handle = await open(file, "wx");
  let size = 0;
  try {
    for await (const part of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
      size += part.length;
      if (size > most) throw new Error(`The server gives more than the ${most} bytes that it announced`);
      await handle.writeFile(part);
    }
    return size;
  } finally {
    await handle.close();
  }
}

/** The code of a thread that answers heavy requests: an app like that of the listening thread, driven by messages. */
import process from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import { createApp } from "../serve/app.ts";
import { withBody } from "../http/body.ts";
import type { Caller } from "../http/route.ts";
import { folderModels } from "../serve/folder_models.ts";
import { openJobStore } from "../jobs/job_store.ts";
import { openJobs } from "../jobs/jobs_server.ts";
import { behindGate } from "../host/native_gate.ts";
import { catalogFor } from "../host/plugin_packages.ts";
import { hostHere } from "../host/train.ts";
import type { FromWorker, ToWorker, WorkerStart } from "./messages.ts";
import { planRoutes } from "./plan_route.ts";

/** The callers of requests, as the pool has identified them. */
const callers = new WeakMap<Request, Caller>();

const port = parentPort;
const say = (message: FromWorker, transfer: readonly ArrayBuffer[] = []): void =>
  port?.postMessage(message, [...transfer]);

/** The state of a request that is being handled. */
type Open = {
  readonly abort: AbortController;
  body: ReadableStreamDefaultController<Uint8Array> | undefined;
  answer: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** Bytes that were read but not sent yet. */
  first?: Uint8Array<ArrayBuffer> | undefined;
};

/** Bytes up to which a response is sent as one message. */
const SMALL = 2 ** 16;

const open = new Map<number, Open>();
const app = opened(workerData as WorkerStart);
app.then(() => say({ type: "ready" }), (error) => {
  throw error;
});

async function opened({ settings: { store, models, plugins, allowHub, limits, threads }, gate }: WorkerStart) {
  const host = behindGate(await hostHere(threads), gate);
  const catalog = await catalogFor({ plugins });
  const named = folderModels(models, host, allowHub);
  // Records and files are used as in any server, but jobs are not watched.
  const jobs = await openJobs({ host, catalog, store, models: named, opened: await openJobStore(store, host) });
  return createApp({
    catalog,
    keys: [],
    authenticate: (request) => Promise.resolve(callers.get(request) ?? nobody),
    limiter: () => 0,
    host,
    models: named,
    jobs,
    limits,
    routes: planRoutes(jobs),
    onError: (error) => void process.stderr.write(`${error.stack ?? error}\n`),
  });
}

/** Handles a message from the pool. */
export async function receive(message: ToWorker): Promise<void> {
  if (message.type === "ping") return say({ type: "pong" });
  if (message.type === "request") return await answer(message);
  const { id } = message;
  const request = open.get(id);
  if (!request) return;
  if (message.type === "part") request.body?.enqueue(message.bytes);
  else if (message.type === "end") request.body?.close();
  else if (message.type === "pull") await send(id, request);
  else {
    open.delete(id);
    request.abort.abort();
    try {
      request.body?.error(new Error("The caller has disconnected"));
    } catch {
      // it has ended
    }
    await request.answer?.cancel().catch(() => {});
  }
}

async function answer({ id, method, path, headers, caller, body, isWhole }: Extract<ToWorker, { type: "request" }>) {
  const task: Open = { abort: new AbortController(), body: undefined, answer: undefined };
  open.set(id, task);
  const url = `http://worker${path}`;
  const { signal } = task.abort;
  const request = body ? withBody(new Request(url, { method, headers, signal }), body) : new Request(url, {
    method,
    headers,
    body: new ReadableStream<Uint8Array>({
      start: (controller) => void (task.body = controller),
      pull: () => say({ type: "pull", id }),
    }, { highWaterMark: 0 }),
    signal,
    duplex: "half",
  } as RequestInit);
  if (caller) callers.set(request, caller);
  const response = await (await app).fetch(request);
  const head = { type: "head", id, status: response.status, headers: [...response.headers] } as const;
  // A JSON response is already complete in memory, however long it is.
  const isHere = isWhole || /^application\/json/.test(response.headers.get("content-type") ?? "");
  const bytes = isHere ? new Uint8Array(await response.arrayBuffer()) : undefined;
  if (!bytes || !isWhole && bytes.length > SMALL) {
    task.first = bytes;
    task.answer = bytes ? undefined : response.body?.getReader();
    return say(head);
  }
  open.delete(id);
  say({ ...head, body: bytes }, [bytes.buffer]);
}

/** Sends the next piece of a response. */
async function send(id: number, request: Open): Promise<void> {
  try {
    const { first, answer } = request;
    const piece = first ? { done: false, value: first } as const : await answer?.read();
    request.first = undefined;
    if (piece && !piece.done) return say({ type: "part", id, bytes: piece.value });
    open.delete(id);
    say({ type: "end", id });
  } catch {
    open.delete(id);
    say({ type: "cut", id });
  }
}

/** The caller for requests of the server itself. */
const nobody: Caller = { tenant: "", scopes: [], key: "" };

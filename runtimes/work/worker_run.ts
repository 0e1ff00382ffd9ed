/**
 * What a thread that answers heavy requests does: an app like the one that listens, over messages.
 * @module
 */
import process from "node:process";
import { parentPort, workerData } from "node:worker_threads";
import { createApp } from "../serve/app.ts";
import type { Caller } from "../http/route.ts";
import { folderModels } from "../serve/folder_models.ts";
import { openJobStore } from "../jobs/job_store.ts";
import { openJobs } from "../jobs/jobs_server.ts";
import { catalogFor } from "../host/plugin_packages.ts";
import { hostHere } from "../host/train.ts";
import type { FromWorker, ToWorker, WorkerSettings } from "./messages.ts";
import { planRoutes } from "./plan_route.ts";

/** Whom the pool says that a request is from; nothing of what callers send becomes this header. */
const CALLER = "x-attune-caller";

const port = parentPort;
const say = (message: FromWorker, transfer: readonly ArrayBuffer[] = []): void =>
  port?.postMessage(message, [...transfer]);

/** What is on its way of one request. */
type Open = {
  readonly gone: AbortController;
  body: ReadableStreamDefaultController<Uint8Array> | undefined;
  answer: ReadableStreamDefaultReader<Uint8Array> | undefined;
  /** What was read of it and not sent. */
  first?: Uint8Array<ArrayBuffer> | undefined;
  second?: Awaited<ReturnType<ReadableStreamDefaultReader<Uint8Array>["read"]>> | undefined;
};

/** Bytes of an answer that is sent as one message. */
const SMALL = 2 ** 16;

const open = new Map<number, Open>();
const app = opened(workerData as WorkerSettings);
app.then(() => say({ type: "ready" }), (error) => {
  throw error;
});

async function opened({ store, models, plugins, allowHub, limits, threads }: WorkerSettings) {
  const host = await hostHere(threads);
  const catalog = await catalogFor({ plugins });
  const named = folderModels(models, host, allowHub);
  // Records and files are read and written here as by any server; nothing is watched.
  const jobs = await openJobs({ host, catalog, store, models: named, opened: await openJobStore(store, host) });
  return createApp({
    catalog,
    keys: [],
    authenticate: (request) => Promise.resolve(JSON.parse(decodeURIComponent(request.headers.get(CALLER) ?? "null"))),
    limiter: () => 0,
    host,
    models: named,
    jobs,
    limits,
    routes: planRoutes(jobs),
    onError: (error) => void process.stderr.write(`${error.stack ?? error}\n`),
  });
}

/** Takes what the pool says. */
export async function receive(message: ToWorker): Promise<void> {
  if (message.type === "ping") return say({ type: "pong" });
  if (message.type === "request") return await answer(message);
  const { id } = message;
  const own = open.get(id);
  if (!own) return;
  if (message.type === "part") own.body?.enqueue(message.bytes);
  else if (message.type === "end") own.body?.close();
  else if (message.type === "pull") await send(id, own);
  else {
    open.delete(id);
    own.gone.abort();
    try {
      own.body?.error(new Error("The caller has gone"));
    } catch {
      // it has ended
    }
    await own.answer?.cancel().catch(() => {});
  }
}

async function answer(
  { id, method, path, headers: given, caller, body, whole }: Extract<ToWorker, { type: "request" }>,
) {
  const own: Open = { gone: new AbortController(), body: undefined, answer: undefined };
  open.set(id, own);
  const stream = body ?? new ReadableStream<Uint8Array>({
    start: (controller) => void (own.body = controller),
    pull: () => say({ type: "pull", id }),
  }, { highWaterMark: 0 });
  const headers = { ...given, [CALLER]: encodeURIComponent(JSON.stringify(caller ?? nobody)) };
  const request = new Request(`http://worker${path}`, {
    method,
    headers,
    body: stream,
    signal: own.gone.signal,
    duplex: "half",
  } as RequestInit);
  const response = await (await app).fetch(request);
  const head = { type: "head", id, status: response.status, headers: [...response.headers] } as const;
  const isSmall = whole || await begin(own, response);
  if (!isSmall) return say(head);
  open.delete(id);
  const bytes = whole ? new Uint8Array(await response.arrayBuffer()) : own.first ?? new Uint8Array();
  say({ ...head, body: bytes }, [bytes.buffer]);
}

/** Begins to read an answer that flows; whether it was all of it. What is short is one message, in place of five. */
async function begin(own: Open, response: Response): Promise<boolean> {
  own.answer = response.body?.getReader();
  if (!own.answer || !/^application\/json/.test(response.headers.get("content-type") ?? "")) return false;
  const { done, value } = await own.answer.read();
  // Transferred is the whole memory of a piece, which may be others' too.
  own.first = value?.slice();
  if (done || value.length > SMALL) return done;
  own.second = await own.answer.read();
  return own.second.done;
}

/** Sends the next piece of an answer. */
async function send(id: number, own: Open): Promise<void> {
  try {
    const { first, second, answer } = own;
    const piece = first ? { done: false, value: first } as const : second ?? await answer?.read();
    if (first) own.first = undefined;
    else own.second = undefined;
    if (piece && !piece.done) return say({ type: "part", id, bytes: piece.value });
    open.delete(id);
    say({ type: "end", id });
  } catch {
    open.delete(id);
    say({ type: "cut", id });
  }
}

/** The server itself. */
const nobody: Caller = { tenant: "", scopes: [], key: "" };

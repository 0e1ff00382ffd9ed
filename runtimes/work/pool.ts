/**
 * Threads that answer heavy requests within limits of time and memory. A thread that exceeds one is ended, and the next
 * request gets a new one.
 */
import process from "node:process";
import { Worker } from "node:worker_threads";
import { copyBytes } from "../../core/base/bytes.ts";
import { AttuneError } from "../../core/base/errors.ts";
import { endWorker, type NativeGate, nativeGate } from "../host/native_gate.ts";
import { tooLong, type Work, type Workers } from "../http/offload.ts";
import type { Lane } from "../http/route.ts";
import type { FromWorker, ToWorker, WorkerSettings, WorkerStart } from "./messages.ts";

/** Limits of the work. */
export type WorkLimits = Readonly<{
  /** Number of threads that compute one request at a time each. */
  computeThreads: number;
  /** Seconds that one request may be computed. */
  seconds: number;
  /** Seconds for long work, such as planning jobs. */
  longSeconds: number;
  /** Bytes of JavaScript objects in one thread (only Node can limit them). */
  memoryBytes: number;
  /** Bytes of the bodies and responses of all waiting requests. */
  waitingBytes: number;
  /** Number of waiting requests. */
  waiting: number;
}>;

/** The default limits. */
export const defaultWorkLimits: WorkLimits = {
  computeThreads: 2,
  seconds: 20,
  longSeconds: 600,
  memoryBytes: 320 * 2 ** 20,
  waitingBytes: 96 * 2 ** 20,
  waiting: 256,
};

/** A pool of threads. `close` resolves once all of them have ended. */
export type WorkPool = Workers & Readonly<{ close(): Promise<void> }>;

/** How long a request that is aborted may continue, and how long an idle thread stays, in milliseconds. */
const [GRACE, IDLE] = [250, 30_000];

/** Bytes of a response that are sent on at once. */
const PIECE = 2 ** 16;

type Call = {
  readonly id: number;
  readonly work: Work;
  readonly source: AsyncIterator<Uint8Array> | undefined;
  readonly answered: (response: Response) => void;
  readonly failed: (error: Error) => void;
  /** Bytes of its body that count as waiting. */
  waitingBytes: number;
  slot: Slot | undefined;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** The response's body, once it has begun. */
  out: ReadableStreamDefaultController<Uint8Array> | undefined;
};

type Slot = {
  readonly lane: Lane;
  worker: Worker | undefined;
  gate: NativeGate;
  /** Resolves when the previous thread has ended, which takes as long as its native call. */
  ending: Promise<void> | undefined;
  ready: boolean;
  /** Seconds without a message from the thread. */
  silent: number;
  readonly calls: Map<number, Call>;
  idle: ReturnType<typeof setTimeout> | undefined;
  /** Checks whether a thread with many requests still responds. */
  pulse: ReturnType<typeof setInterval> | undefined;
};

type Pool = {
  readonly settings: WorkerSettings;
  readonly limits: WorkLimits;
  readonly slots: readonly Slot[];
  readonly queue: Call[];
  /** The id of the last call. */
  ids: number;
  /** Bytes of waiting bodies and responses. */
  waitingBytes: number;
};

/** Creates a pool of threads, which are started when they are first needed. */
export function workPool(settings: WorkerSettings, given: Partial<WorkLimits> = {}): WorkPool {
  const limits = { ...defaultWorkLimits, ...given };
  const lanes: readonly Lane[] = [
    ...Array.from({ length: limits.computeThreads }, () => "compute" as const),
    "model",
    "stream",
    "merge",
  ];
  const slots = lanes.map((lane): Slot => ({
    lane,
    worker: undefined,
    gate: nativeGate(),
    ending: undefined,
    ready: false,
    silent: 0,
    calls: new Map(),
    idle: undefined,
    pulse: undefined,
  }));
  const pool: Pool = { settings, limits, slots, queue: [], ids: 0, waitingBytes: 0 };
  return {
    fetch: (work) =>
      new Promise((answered, failed) => {
        const size = work.body instanceof Uint8Array ? work.body.length : 0;
        if (pool.queue.length >= pool.limits.waiting || pool.waitingBytes + size > pool.limits.waitingBytes) {
          return failed(new AttuneError("The server is busy: try again", { code: "BUSY" }));
        }
        pool.waitingBytes += size;
        const source = work.body instanceof Uint8Array ? undefined : work.body[Symbol.asyncIterator]();
        const call: Call = {
          id: ++pool.ids,
          work,
          source,
          answered,
          failed,
          waitingBytes: size,
          slot: undefined,
          timer: undefined,
          out: undefined,
        };
        pool.queue.push(call);
        work.signal?.addEventListener("abort", () => abandon(pool, call), { once: true });
        assignCalls(pool);
      }),
    close: async () => {
      for (const slot of pool.slots) endThread(pool, slot, workLost());
      await Promise.all(pool.slots.map(({ ending }) => ending));
    },
  };
}

function send(slot: Slot, message: ToWorker, transfer: readonly ArrayBuffer[] = []): void {
  slot.worker?.postMessage(message, [...transfer]);
}

const secondsOf = ({ limits }: Pool, { work }: Call): number => (work.long ? limits.longSeconds : limits.seconds);

/** Stops counting a call's bytes as waiting. */
function release(pool: Pool, call: Call): void {
  pool.waitingBytes -= call.waitingBytes;
  call.waitingBytes = 0;
}

/** Ends a call, so that its slot is free for the next one. */
function finish(pool: Pool, call: Call): void {
  clearTimeout(call.timer);
  call.slot?.calls.delete(call.id);
  release(pool, call);
  void call.source?.return?.()?.catch(() => {});
  if (call.slot) restIfIdle(pool, call.slot);
  assignCalls(pool);
}

function fail(pool: Pool, call: Call, error: Error): void {
  call.failed(error);
  try {
    call.out?.error(error);
  } catch {
    // its reader has gone
  }
  finish(pool, call);
}

/** Ends a slot's thread and all of its calls. */
function endThread(pool: Pool, slot: Slot, error: AttuneError): void {
  const { worker } = slot;
  if (!worker) return;
  slot.worker = undefined;
  slot.ready = false;
  clearInterval(slot.pulse);
  slot.pulse = undefined;
  clearTimeout(slot.idle);
  slot.ending = endWorker(worker, slot.gate).finally(() => {
    slot.ending = undefined;
    assignCalls(pool);
  });
  for (const call of [...slot.calls.values()]) fail(pool, call, error);
}

/** Ends an idle slot's thread after a while. */
function restIfIdle(pool: Pool, slot: Slot): void {
  clearTimeout(slot.idle);
  if (slot.calls.size > 0 || !slot.worker) return;
  slot.worker.unref();
  clearInterval(slot.pulse);
  slot.pulse = undefined;
  // The model lane keeps its opened models for longer.
  slot.idle = setTimeout(() => endThread(pool, slot, workLost()), slot.lane === "model" ? 20 * IDLE : IDLE);
  slot.idle.unref?.();
}

function receive(pool: Pool, slot: Slot, message: FromWorker): void {
  if (message.type === "ready") return beginAll(pool, slot);
  slot.silent = 0;
  if (message.type === "pong") return;
  const call = slot.calls.get(message.id);
  if (!call) return;
  if (message.type === "pull") return sendNextPart(pool, slot, call);
  if (message.type === "head") {
    const { status, headers, body } = message;
    const init = { status, headers: headers.map(([name, value]): [string, string] => [name, value]) };
    if (body) {
      call.answered(
        new Response(
          body.length <= PIECE
            ? body as Uint8Array<ArrayBuffer>
            : pacedStream(body, (bytes) => pool.waitingBytes += bytes),
          init,
        ),
      );
      return finish(pool, call);
    }
    clearTimeout(call.timer);
    return call.answered(new Response(streamAnswer(pool, slot, call), init));
  }
  if (message.type === "part") return call.out?.enqueue(message.bytes);
  if (message.type === "end") {
    call.out?.close();
    return finish(pool, call);
  }
  fail(pool, call, new AttuneError("The response was cut off", { code: "INTERNAL" }));
}

/** Sends the next piece of a request's body, which the worker has requested. */
function sendNextPart(pool: Pool, slot: Slot, { id, source }: Call): void {
  if (!source) return;
  source.next().then(
    ({ done, value }) => {
      if (done) return send(slot, { type: "end", id });
      const bytes = copyBytes(value);
      send(slot, { type: "part", id, bytes }, [bytes.buffer]);
    },
    (error) => {
      // A fault of the body is reported to its sender.
      const call = slot.calls.get(id);
      send(slot, { type: "abort", id });
      if (call) fail(pool, call, error);
    },
  );
}

/** Returns the stream of a response that is requested from the worker as the reader consumes it. */
function streamAnswer(pool: Pool, slot: Slot, call: Call): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => void (call.out = controller),
    pull: () => send(slot, { type: "pull", id: call.id }),
    cancel: () => {
      send(slot, { type: "abort", id: call.id });
      finish(pool, call);
    },
  }, { highWaterMark: 0 });
}

/** Returns the stream of a whole response. `count` receives the bytes that begin to wait, and those that have left. */
function pacedStream(body: Uint8Array, count: (bytes: number) => void): ReadableStream<Uint8Array> {
  let at = 0;
  count(body.length);
  return new ReadableStream({
    pull: (controller) => {
      const piece = body.subarray(at, at + PIECE);
      at += piece.length;
      count(-piece.length);
      if (piece.length > 0) controller.enqueue(piece);
      if (at >= body.length) controller.close();
    },
    cancel: () => count(at - body.length),
  }, { highWaterMark: 0 });
}

function startThread(pool: Pool, slot: Slot): void {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  slot.gate = nativeGate();
  const workerData: WorkerStart = { settings: pool.settings, gate: slot.gate };
  const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
    workerData,
    resourceLimits: {
      maxOldGenerationSizeMb: Math.round(pool.limits.memoryBytes / 2 ** 20),
      // By default, short-lived objects of several threads pile up to hundreds of MiB.
      maxYoungGenerationSizeMb: 8,
    },
  });
  slot.worker = worker;
  slot.silent = 0;
  worker.unref();
  const isCurrent = (): boolean => slot.worker === worker;
  worker.on("message", (message: FromWorker) => isCurrent() && receive(pool, slot, message));
  worker.on("error", (error: Error & { code?: string }) => {
    if (!isCurrent()) return;
    const memory = error.code === "ERR_WORKER_OUT_OF_MEMORY";
    if (!memory) process.stderr.write(`A worker failed: ${error.stack ?? error}\n`);
    endThread(pool, slot, memory ? tooMuch(pool.limits) : workLost());
  });
  worker.on("exit", () => isCurrent() && endThread(pool, slot, workLost()));
}

/** Begins the calls of a slot whose thread has become ready. */
function beginAll(pool: Pool, slot: Slot): void {
  slot.ready = true;
  for (const call of slot.calls.values()) beginCall(pool, slot, call);
}

function beginCall(pool: Pool, slot: Slot, call: Call): void {
  const { id, work: { method, path, headers, caller, body } } = call;
  const isWhole = slot.lane === "compute";
  const bytes = body instanceof Uint8Array ? body : undefined;
  release(pool, call);
  send(slot, { type: "request", id, method, path, headers, caller, body: bytes, isWhole }, bytes ? [bytes.buffer] : []);
  if (isWhole) {
    call.timer = setTimeout(() => endThread(pool, slot, tooLong(secondsOf(pool, call))), 1000 * secondsOf(pool, call));
  } else if (slot.pulse === undefined) watchThread(pool, slot);
}

/** Ends a thread with many requests if it is silent for as long as one request may take. */
function watchThread(pool: Pool, slot: Slot): void {
  slot.silent = 0;
  slot.pulse = setInterval(() => {
    if (++slot.silent > pool.limits.seconds) return endThread(pool, slot, tooLong(pool.limits.seconds));
    send(slot, { type: "ping" });
  }, 1000);
  slot.pulse.unref?.();
}

/** Returns a slot that can take a call now. */
function findSlot(pool: Pool, { work }: Call): Slot | undefined {
  const lane = pool.slots.filter((slot) => slot.lane === work.lane);
  if (work.lane !== "compute") return lane.find(({ ending }) => !ending);
  const busy = lane.filter(({ calls }) => [...calls.values()].some((call) => call.work.long)).length;
  if (work.long && lane.length > 1 && busy >= lane.length - 1) return undefined;
  const idle = lane.filter(({ calls, ending }) => calls.size === 0 && !ending);
  // A thread that already runs is preferred to one that must be started.
  return idle.find(({ ready }) => ready) ?? idle[0];
}

/** Gives waiting calls to slots that can take them. */
function assignCalls(pool: Pool): void {
  for (let at = 0; at < pool.queue.length;) {
    const call = pool.queue[at] as Call;
    const slot = findSlot(pool, call);
    if (!slot) {
      at++;
      continue;
    }
    pool.queue.splice(at, 1);
    call.slot = slot;
    slot.calls.set(call.id, call);
    clearTimeout(slot.idle);
    if (!slot.worker) startThread(pool, slot);
    // Requests keep the process alive, idle threads do not.
    slot.worker?.ref();
    if (!slot.ready) continue;
    beginCall(pool, slot, call);
  }
}

/** Drops a call whose caller has disconnected. */
function abandon(pool: Pool, call: Call): void {
  const { slot } = call;
  const error = new AttuneError("The caller has disconnected", { code: "GONE" });
  if (!slot) {
    const at = pool.queue.indexOf(call);
    if (at < 0) return;
    pool.queue.splice(at, 1);
    return fail(pool, call, error);
  }
  if (!slot.calls.has(call.id)) return;
  send(slot, { type: "abort", id: call.id });
  if (slot.lane !== "compute") return fail(pool, call, error);
  setTimeout(() => slot.calls.has(call.id) && endThread(pool, slot, error), GRACE).unref?.();
}

function tooMuch({ memoryBytes }: WorkLimits): AttuneError {
  const most = `over ${Math.round(memoryBytes / 2 ** 20)} MiB of memory to compute`;
  return new AttuneError(`The request took ${most}: ask for less at once`, { code: "WORK_LIMIT" });
}

function workLost(): AttuneError {
  return new AttuneError("The thread that computed this has ended", { code: "WORK_LOST" });
}

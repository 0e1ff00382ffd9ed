/**
 * Threads that answer heavy requests within limits of time and memory: one that passes them is ended, and the next
 * request gets a new one.
 * @module
 */
import process from "node:process";
import { Worker } from "node:worker_threads";
import { AttuneError } from "../../core/errors.ts";
import type { Work, Workers } from "../http/offload.ts";
import type { Lane } from "../http/route.ts";
import type { FromWorker, ToWorker, WorkerSettings } from "./messages.ts";

/** Limits of the work itself. */
export type WorkLimits = Readonly<{
  /** Threads that compute one request at a time each. */
  computeThreads: number;
  /** For how long one request may be computed. */
  seconds: number;
  /** The same for work that takes long, as the plans of jobs. */
  longSeconds: number;
  /** Memory of JavaScript's objects in one thread (Node alone can be told). */
  memoryBytes: number;
  /** Bodies and answers of all requests that wait. */
  waitingBytes: number;
  /** Requests that wait. */
  waiting: number;
}>;

/** The limits where nothing is said. */
export const defaultWorkLimits: WorkLimits = {
  computeThreads: 2,
  seconds: 20,
  longSeconds: 600,
  memoryBytes: 320 * 2 ** 20,
  waitingBytes: 96 * 2 ** 20,
  waiting: 256,
};

/** A pool, and how it is ended. */
export type WorkPool = Workers & Readonly<{ close(): void }>;

/** How long one that is told to stop may go on, and one that has nothing to do stays, in milliseconds. */
const [GRACE, IDLE] = [250, 30_000];

/** Pieces of an answer that are sent on at once. */
const PIECE = 2 ** 16;

type Call = {
  readonly id: number;
  readonly work: Work;
  readonly source: AsyncIterator<Uint8Array> | undefined;
  readonly answered: (response: Response) => void;
  readonly failed: (error: Error) => void;
  /** Bytes of its body that are counted as waiting. */
  held: number;
  slot: Slot | undefined;
  timer: ReturnType<typeof setTimeout> | undefined;
  /** Where the answer goes, once it has begun. */
  out: ReadableStreamDefaultController<Uint8Array> | undefined;
};

type Slot = {
  readonly lane: Lane;
  worker: Worker | undefined;
  ready: boolean;
  /** Seconds in which nothing came from it. */
  silent: number;
  readonly calls: Map<number, Call>;
  idle: ReturnType<typeof setTimeout> | undefined;
  /** Looks whether a thread that answers many still does. */
  pulse: ReturnType<typeof setInterval> | undefined;
};

/** A pool of threads, which are started when they are first needed. */
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
    ready: false,
    silent: 0,
    calls: new Map(),
    idle: undefined,
    pulse: undefined,
  }));
  const queue: Call[] = [];
  let [ids, held] = [0, 0];

  const send = (slot: Slot, message: ToWorker, transfer: readonly ArrayBuffer[] = []): void =>
    slot.worker?.postMessage(message, [...transfer]);
  const secondsOf = ({ work }: Call): number => (work.long ? limits.longSeconds : limits.seconds);

  const release = (call: Call): void => {
    held -= call.held;
    call.held = 0;
  };
  const leave = (call: Call): void => {
    clearTimeout(call.timer);
    call.slot?.calls.delete(call.id);
    release(call);
    void call.source?.return?.()?.catch(() => {});
    if (call.slot) rest(call.slot);
    next();
  };
  const fail = (call: Call, error: Error): void => {
    call.failed(error);
    try {
      call.out?.error(error);
    } catch {
      // its reader has gone
    }
    leave(call);
  };
  /** Ends a slot's thread and everything that it was doing. */
  const end = (slot: Slot, error: AttuneError): void => {
    const { worker } = slot;
    if (!worker) return;
    slot.worker = undefined;
    slot.ready = false;
    clearInterval(slot.pulse);
    slot.pulse = undefined;
    clearTimeout(slot.idle);
    void worker.terminate();
    for (const call of [...slot.calls.values()]) fail(call, error);
  };
  const rest = (slot: Slot): void => {
    clearTimeout(slot.idle);
    if (slot.calls.size > 0 || !slot.worker) return;
    slot.worker.unref();
    clearInterval(slot.pulse);
    slot.pulse = undefined;
    // What the model lane has opened is worth keeping for longer.
    slot.idle = setTimeout(() => end(slot, gone()), slot.lane === "model" ? 20 * IDLE : IDLE);
    slot.idle.unref?.();
  };

  const receive = (slot: Slot, message: FromWorker): void => {
    if (message.type === "ready") return started(slot);
    slot.silent = 0;
    if (message.type === "pong") return;
    const call = slot.calls.get(message.id);
    if (!call) return;
    if (message.type === "pull") return feed(slot, call);
    if (message.type === "head") {
      const { status, headers, body } = message;
      const init = { status, headers: headers.map(([name, value]): [string, string] => [name, value]) };
      if (body) {
        call.answered(new Response(body.length <= PIECE ? body as Uint8Array<ArrayBuffer> : paced(body), init));
        return leave(call);
      }
      clearTimeout(call.timer);
      return call.answered(new Response(flowing(slot, call), init));
    }
    if (message.type === "part") return call.out?.enqueue(message.bytes);
    if (message.type === "end") {
      call.out?.close();
      return leave(call);
    }
    fail(call, new AttuneError("The answer broke off", { code: "INTERNAL" }));
  };
  /** The next piece of a request's body, as the worker has asked for it. */
  const feed = (slot: Slot, { id, source }: Call): void => {
    if (!source) return;
    source.next().then(
      ({ done, value }) => {
        if (done) return send(slot, { type: "end", id });
        const bytes = value.slice();
        send(slot, { type: "part", id, bytes }, [bytes.buffer]);
      },
      (error) => {
        // What was wrong with the body is told to who sent it.
        const call = slot.calls.get(id);
        send(slot, { type: "abort", id });
        if (call) fail(call, error);
      },
    );
  };
  /** An answer that is asked for as its reader takes it. */
  const flowing = (slot: Slot, call: Call): ReadableStream<Uint8Array> =>
    new ReadableStream({
      start: (controller) => void (call.out = controller),
      pull: () => send(slot, { type: "pull", id: call.id }),
      cancel: () => {
        send(slot, { type: "abort", id: call.id });
        leave(call);
      },
    }, { highWaterMark: 0 });
  /** A whole answer that leaves as its reader takes it; what waits is counted. */
  const paced = (body: Uint8Array): ReadableStream<Uint8Array> => {
    let at = 0;
    held += body.length;
    return new ReadableStream({
      pull: (controller) => {
        const piece = body.subarray(at, at + PIECE);
        at += piece.length;
        held -= piece.length;
        if (piece.length > 0) controller.enqueue(piece);
        if (at >= body.length) controller.close();
      },
      cancel: () => void (held -= body.length - at),
    }, { highWaterMark: 0 });
  };

  const start = (slot: Slot): void => {
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    const worker = new Worker(new URL(`./worker.${extension}`, import.meta.url), {
      workerData: settings,
      resourceLimits: { maxOldGenerationSizeMb: Math.round(limits.memoryBytes / 2 ** 20) },
    });
    slot.worker = worker;
    slot.silent = 0;
    worker.unref();
    const isCurrent = (): boolean => slot.worker === worker;
    worker.on("message", (message: FromWorker) => isCurrent() && receive(slot, message));
    worker.on("error", (error: Error & { code?: string }) => {
      if (!isCurrent()) return;
      const memory = error.code === "ERR_WORKER_OUT_OF_MEMORY";
      if (!memory) process.stderr.write(`A worker failed: ${error.stack ?? error}\n`);
      end(slot, memory ? tooMuch(limits) : gone());
    });
    worker.on("exit", () => isCurrent() && end(slot, gone()));
  };
  const started = (slot: Slot): void => {
    slot.ready = true;
    for (const call of slot.calls.values()) begin(slot, call);
  };
  const begin = (slot: Slot, call: Call): void => {
    const { id, work: { method, path, headers, caller, body } } = call;
    const whole = slot.lane === "compute";
    const own = body instanceof Uint8Array ? body : undefined;
    release(call);
    send(slot, { type: "request", id, method, path, headers, caller, body: own, whole }, own ? [own.buffer] : []);
    if (whole) call.timer = setTimeout(() => end(slot, tooLong(secondsOf(call))), 1000 * secondsOf(call));
    else if (slot.pulse === undefined) watch(slot);
  };
  /** A thread that answers many is ended where it answers nothing for as long as one request may take. */
  const watch = (slot: Slot): void => {
    slot.silent = 0;
    slot.pulse = setInterval(() => {
      if (++slot.silent > limits.seconds) return end(slot, tooLong(limits.seconds));
      send(slot, { type: "ping" });
    }, 1000);
    slot.pulse.unref?.();
  };
  const free = ({ work }: Call): Slot | undefined => {
    const own = slots.filter(({ lane }) => lane === work.lane);
    if (work.lane !== "compute") return own[0];
    const busy = own.filter(({ calls }) => [...calls.values()].some((call) => call.work.long)).length;
    if (work.long && own.length > 1 && busy >= own.length - 1) return undefined;
    const idle = own.filter(({ calls }) => calls.size === 0);
    // One that runs already is as good as one that must start.
    return idle.find(({ ready }) => ready) ?? idle[0];
  };
  const next = (): void => {
    for (let at = 0; at < queue.length;) {
      const call = queue[at] as Call;
      const slot = free(call);
      if (!slot) {
        at++;
        continue;
      }
      queue.splice(at, 1);
      call.slot = slot;
      slot.calls.set(call.id, call);
      clearTimeout(slot.idle);
      if (!slot.worker) start(slot);
      // A process waits for answers, but not for threads that have nothing to do.
      slot.worker?.ref();
      if (!slot.ready) continue;
      begin(slot, call);
    }
  };
  const abandon = (call: Call): void => {
    const { slot } = call;
    const error = new AttuneError("Nobody waits for the answer", { code: "GONE" });
    if (!slot) {
      const at = queue.indexOf(call);
      if (at < 0) return;
      queue.splice(at, 1);
      return fail(call, error);
    }
    if (!slot.calls.has(call.id)) return;
    send(slot, { type: "abort", id: call.id });
    if (slot.lane !== "compute") return fail(call, error);
    setTimeout(() => slot.calls.has(call.id) && end(slot, error), GRACE).unref?.();
  };

  return {
    fetch: (work) =>
      new Promise((answered, failed) => {
        const size = work.body instanceof Uint8Array ? work.body.length : 0;
        if (queue.length >= limits.waiting || held + size > limits.waitingBytes) {
          return failed(new AttuneError("There is no room for the request now: try again", { code: "BUSY" }));
        }
        held += size;
        const source = work.body instanceof Uint8Array ? undefined : work.body[Symbol.asyncIterator]();
        const call: Call = {
          id: ++ids,
          work,
          source,
          answered,
          failed,
          held: size,
          slot: undefined,
          timer: undefined,
          out: undefined,
        };
        queue.push(call);
        work.signal?.addEventListener("abort", () => abandon(call), { once: true });
        next();
      }),
    close: () => {
      for (const slot of slots) end(slot, gone());
    },
  };
}

function tooLong(seconds: number): AttuneError {
  return new AttuneError(`The request took over ${seconds} s to compute: ask for less at once`, { code: "WORK_LIMIT" });
}

function tooMuch({ memoryBytes }: WorkLimits): AttuneError {
  const most = `over ${Math.round(memoryBytes / 2 ** 20)} MiB of memory to compute`;
  return new AttuneError(`The request took ${most}: ask for less at once`, { code: "WORK_LIMIT" });
}

function gone(): AttuneError {
  return new AttuneError("The thread that computed this has ended", { code: "WORK_LOST" });
}

/**
 * Safe termination of threads that compute in native code. Ending a thread within a native call ends the whole process,
 * because the call has nowhere to return to. A gate counts a thread's calls, and admits none once the thread is to end.
 */
import type { Worker } from "node:worker_threads";
import type { Host, Ort, OrtSession } from "../../core/types.ts";

/** The number of native calls of a thread, and whether it is to end; shared with the thread that ends it. */
export type NativeGate = Int32Array<SharedArrayBuffer>;

const [CALLS, ENDS] = [0, 1];

/** How often to check whether a thread has left native code, in milliseconds. */
const POLL_MS = 2;

/** Creates a gate for a thread. */
export function nativeGate(): NativeGate {
  return new Int32Array(new SharedArrayBuffer(8));
}

/** Terminates a thread once it is in no native call. */
export async function endWorker(worker: Worker, gate: NativeGate): Promise<void> {
  let isGone = false;
  worker.once("exit", () => (isGone = true));
  Atomics.store(gate, ENDS, 1);
  while (!isGone && Atomics.load(gate, CALLS) > 0) await new Promise((done) => setTimeout(done, POLL_MS));
  await worker.terminate();
}

/** Returns the host for such a thread: its native calls pass the gate. */
export function behindGate(host: Host, gate: NativeGate): Host {
  let guarded: Ort | undefined;
  // Read on demand, because a host without onnxruntime throws when `lib` is first read.
  const get = (): Ort | undefined => (guarded ??= host.lib && guardedLib(host.lib, gate));
  return Object.defineProperties({}, {
    ...Object.getOwnPropertyDescriptors(host),
    lib: { enumerable: true, get },
  }) as Host;
}

function guardedLib({ Tensor, InferenceSession }: Ort, gate: NativeGate): Ort {
  const create = async (...parameters: Parameters<typeof InferenceSession.create>): Promise<OrtSession> => {
    const session = await passes(gate, () => InferenceSession.create(...parameters));
    return {
      run: (...feeds) => passes(gate, () => session.run(...feeds)),
      release: () => passes(gate, () => session.release()),
    };
  };
  return { Tensor, InferenceSession: { create } };
}

/** Makes a native call. If the thread is to end, it waits for that instead. */
async function passes<T>(gate: NativeGate, act: () => Promise<T>): Promise<T> {
  // Counted first: whoever ends the thread sets the flag before it reads the count.
  Atomics.add(gate, CALLS, 1);
  try {
    if (Atomics.load(gate, ENDS) === 0) return await act();
  } finally {
    Atomics.sub(gate, CALLS, 1);
  }
  return await new Promise<never>(() => {});
}

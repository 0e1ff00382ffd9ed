/**
 * Threads that compute in native code. One that is ended in the middle of it takes the whole process along: what the native
 * code gives back has nowhere to go. A gate counts the calls that a thread is in, and lets no more in once it is to end.
 */
import type { Worker } from "node:worker_threads";
import type { Host, Ort, OrtSession } from "../../core/types.ts";

/** The number of calls that a thread is in, and whether it is to end; shared by it and who ends it. */
export type NativeGate = Int32Array<SharedArrayBuffer>;

const [CALLS, ENDS] = [0, 1];

/** How often one looks whether a thread has come out, in milliseconds. */
const LOOK = 2;

/** A gate for a thread. */
export function nativeGate(): NativeGate {
  return new Int32Array(new SharedArrayBuffer(8));
}

/** Ends a thread once it is in no native call. */
export async function endWorker(worker: Worker, gate: NativeGate): Promise<void> {
  let isGone = false;
  worker.once("exit", () => (isGone = true));
  Atomics.store(gate, ENDS, 1);
  while (!isGone && Atomics.load(gate, CALLS) > 0) await new Promise((done) => setTimeout(done, LOOK));
  await worker.terminate();
}

/** The host of such a thread: what it computes goes through the gate. */
export function behindGate(host: Host, gate: NativeGate): Host {
  let guarded: Ort | undefined;
  // A host without onnxruntime says so where it is first asked for it.
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

/** Does something native; where the thread is to end it waits for that. */
async function passes<T>(gate: NativeGate, act: () => Promise<T>): Promise<T> {
  // Counted first: whoever ends the thread looks at the count behind saying so.
  Atomics.add(gate, CALLS, 1);
  try {
    if (Atomics.load(gate, ENDS) === 0) return await act();
  } finally {
    Atomics.sub(gate, CALLS, 1);
  }
  return await new Promise<never>(() => {});
}

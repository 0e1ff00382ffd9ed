/** Messages between a run and a thread that encodes its rows, for threads of any kind. */
import type { ThreadEncoder } from "../../core/run/rows/thread_encoder.ts";
import type { EncoderJob, EncoderThread, PackedSamples, Row } from "../../core/types.ts";

/** A message to the thread: the job that it encodes for, or rows and their numbers. */
export type ToEncoder =
  | Readonly<{ type: "open"; job: EncoderJob }>
  | Readonly<{ type: "encode"; id: number; rows: readonly Row[]; numbers: readonly number[] }>;

/** A message from the thread. `samples` absent: encoding failed, for whatever reason. */
export type FromEncoder =
  | Readonly<{ type: "opened"; tokenizer: string }>
  | Readonly<{ type: "failed" }>
  | Readonly<{ type: "encoded"; id: number; samples?: readonly PackedSamples[] }>;

/** A thread, as the side that uses it sees it. */
export type EncoderPort = Readonly<{
  post(message: ToEncoder): void;
  listen(heard: (message: FromEncoder) => void, ended: () => void): void;
  terminate(): unknown;
  /** Sets whether an answer is awaited. A thread without requests does not keep the process alive. */
  keepAlive?(isAsked: boolean): void;
}>;

/** Opens the parts of a job in a thread. Throws Error if the thread cannot open them. */
export async function askEncoder(port: EncoderPort, job: EncoderJob): Promise<EncoderThread> {
  const waiting = new Map<number, (samples: readonly PackedSamples[] | undefined) => void>();
  let asked = 0;
  let hasEnded = false;
  let opened: (tokenizer: string | undefined) => void = () => {};
  const answer = (id: number, samples?: readonly PackedSamples[]): void => {
    waiting.get(id)?.(samples);
    waiting.delete(id);
    if (waiting.size === 0) port.keepAlive?.(false);
  };
  const end = (): void => {
    hasEnded = true;
    opened(undefined);
    for (const id of [...waiting.keys()]) answer(id);
  };
  port.listen((message) => {
    if (message.type === "encoded") answer(message.id, message.samples);
    else opened(message.type === "opened" ? message.tokenizer : undefined);
  }, end);
  const close = async (): Promise<void> => {
    end();
    await port.terminate();
  };
  const tokenizer = await new Promise<string | undefined>((resolve) => {
    opened = resolve;
    port.post({ type: "open", job });
  }).catch(async (error) => {
    await close();
    throw error;
  });
  port.keepAlive?.(false);
  if (tokenizer === undefined) {
    await close();
    throw new Error("The thread that encodes rows cannot have what the run encodes with");
  }
  return {
    tokenizer,
    close,
    encode: async (rows, numbers) => {
      if (hasEnded) return undefined;
      const id = ++asked;
      port.post({ type: "encode", id, rows, numbers });
      port.keepAlive?.(true);
      return await new Promise((resolve) => waiting.set(id, resolve));
    },
  };
}

/** Returns the thread's handler of messages, which answers through `say`. */
export function answerEncoder(
  open: (job: EncoderJob) => Promise<ThreadEncoder>,
  say: (message: FromEncoder, transfer: ArrayBuffer[]) => void,
): (message: ToEncoder) => Promise<void> {
  let encoder: Promise<ThreadEncoder> | undefined;
  return async (message) => {
    try {
      if (message.type === "open") {
        encoder = open(message.job);
        return say({ type: "opened", tokenizer: (await encoder).tokenizer }, []);
      }
      const { id, rows, numbers } = message;
      const samples = (await encoder)?.encode(rows, numbers);
      say({ type: "encoded", id, ...(samples ? { samples } : {}) }, (samples ?? []).map(({ buffer }) => buffer));
    } catch {
      // The caller repeats the work, and reports the error from there.
      say(message.type === "open" ? { type: "failed" } : { type: "encoded", id: message.id }, []);
    }
  };
}

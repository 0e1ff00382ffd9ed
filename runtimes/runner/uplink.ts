/**
 * The uplink to the server while a job runs: heartbeats, events, checkpoints. All of it from this thread, which only waits
 * for the network; the one that trains may block as long as it likes.
 */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AttuneError } from "../../core/base/errors.ts";
import type { Named, TrainingEvent } from "../../core/types.ts";
import type { Lease, RunnerClient } from "./client.ts";
import { filesBelow, isResult } from "./inputs.ts";

/** How far a job is. */
export type Progress = { step: number; tokens: number; totalSteps: number | undefined; metrics: Named<number> };

/** A job's line to the server. */
export interface Uplink {
  /** Tells an event; they arrive in order, as fast as the server takes them. */
  tell(event: TrainingEvent): void;
  /** Sends a checkpoint. Where they come faster than they can be sent, only the newest. */
  checkpoint(step: number, name: string): void;
  /** Resolves when all of it has arrived; throws where it cannot. */
  flushed(): Promise<void>;
  /** No more signs of life. */
  close(): void;
}

/** Options of an uplink. */
export type UplinkOptions = Readonly<{
  lease: Lease;
  client: RunnerClient;
  output: string;
  progress: Progress;
  /** Aborted with what ends the run: what its user wants, or that the lease is lost. */
  stop: AbortController;
  /** Tells people of what failed on the way. */
  tell: (text: string) => void;
}>;

/** How often events are sent, in milliseconds. */
const PAUSE = 100;

/** Most events of one message. */
const MOST = 1000;

/** Most characters of a message. */
const MOST_MESSAGE = 4000;

const exists = (path: string): Promise<boolean> => access(path).then(() => true, () => false);
const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT";

/** Opens the line; the first sign of life is given at once. */
export function uplink({ lease, client, output, progress, stop, tell }: UplinkOptions): Uplink {
  const heard = (wants: "cancel" | "pause" | null): void => {
    if (wants) stop.abort(wants);
  };
  const failed = (error: unknown): void => {
    // Only the server's word ends a run: while it cannot be reached the work goes on.
    if (error instanceof AttuneError && error.code === "LEASE_LOST") stop.abort(error);
    else tell(`${lease.id}: ${error}`);
  };

  const closed = new AbortController();
  const beat = async (): Promise<void> => {
    while (!closed.signal.aborted) {
      const pause = sleep(1000 * lease.heartbeatSeconds, undefined, { signal: closed.signal }).catch(() => {});
      // The server keeps the answer until it is wanted: what a user wants arrives at once.
      await client.heartbeat(lease, progress.step, progress.tokens, closed.signal).then(heard, (error) => {
        if (!closed.signal.aborted) failed(error);
      });
      await pause;
    }
  };

  // What did not arrive waits for the next try.
  const waiting: TrainingEvent[] = [];
  let from = 1;
  let message: Promise<void> | undefined;
  const sendSome = (): Promise<void> => {
    const events = waiting.slice(0, MOST);
    return message ??= client.events(lease, from, events, progress.totalSteps).then((wants) => {
      waiting.splice(0, events.length);
      from += events.length;
      heard(wants);
    }).finally(() => (message = undefined));
  };
  const toldUntil = async (end: number): Promise<void> => {
    while (from < end) await sendSome();
  };
  let telling: Promise<void> | undefined;
  const tellAll = async (): Promise<void> => {
    try {
      while (waiting.length > 0) {
        await sendSome();
        if (waiting.length < MOST) await sleep(PAUSE);
      }
    } catch (error) {
      failed(error);
    } finally {
      telling = undefined;
    }
  };

  let next: Readonly<{ step: number; name: string; events: number }> | undefined;
  let sending: Promise<void> | undefined;
  const sendOne = async ({ step, name, events }: NonNullable<typeof next>): Promise<void> => {
    const folder = `checkpoints/${name}/`;
    // Logs as they are now may be longer than the checkpoint needs: resuming cuts them back.
    const files = (await filesBelow(output)).filter((f) => f.startsWith(folder) || isResult(f));
    for (const file of files) await client.send(lease, `${name}/${file}`, join(output, file));
    // Whoever goes on from it tells nothing of the steps before.
    await toldUntil(events);
    await client.checkpoint(lease, step, `${name}/`, files, progress.metrics);
  };
  const sendAll = async (): Promise<void> => {
    try {
      while (next) {
        const file = next;
        next = undefined;
        await sendOne(file).catch(async (error) => {
          if (!isMissing(error)) return failed(error);
          // A file went while others were looked at. Where it is another one's, this checkpoint is still there to be sent.
          if (await exists(join(output, "checkpoints", file.name))) next ??= file;
        });
      }
    } finally {
      // Here and not in a callback of its end: what arrives in between would find it still sending, and wait for ever.
      sending = undefined;
    }
  };

  void beat().catch(failed);
  return {
    tell: (event) => {
      // Longer ones are not taken, and a whole log is not lost for one.
      waiting.push(event.type === "warning" ? { ...event, message: event.message.slice(0, MOST_MESSAGE) } : event);
      telling ??= tellAll();
    },
    checkpoint: (step, name) => {
      next = { step, name, events: from + waiting.length };
      sending ??= sendAll();
    },
    flushed: async () => {
      while (sending) await sending;
      if (!(stop.signal.reason instanceof AttuneError)) await toldUntil(from + waiting.length);
    },
    close: () => closed.abort(),
  };
}

/**
 * The connection to the server while a job runs: heartbeats, events, checkpoints. This thread sends them all, and only
 * waits for the network; the training thread may block for any time.
 */
import { access } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AttuneError } from "../../core/base/errors.ts";
import type { Named, TrainingEvent } from "../../core/types.ts";
import type { Lease, RunnerClient } from "./client.ts";
import { filesBelow, isResult } from "./inputs.ts";

/** The progress of a job. */
export type Progress = { step: number; tokens: number; totalSteps: number | undefined; metrics: Named<number> };

/** A job's connection to the server. */
export interface Uplink {
  /** Sends an event; events arrive in order, as fast as the server takes them. */
  send(event: TrainingEvent): void;
  /** Sends a checkpoint. If checkpoints are made faster than they can be sent, only the newest is. */
  checkpoint(step: number, name: string): void;
  /** Resolves when everything has arrived; throws if that is not possible. */
  flushed(): Promise<void>;
  /** Stops the heartbeats. */
  close(): void;
}

/** Options of an uplink. */
export type UplinkOptions = Readonly<{
  lease: Lease;
  client: RunnerClient;
  output: string;
  progress: Progress;
  /** Aborted with the reason to end the run: the user's request, or the error that the lease is lost. */
  stop: AbortController;
  /** Receives messages about failures, for people. */
  report: (text: string) => void;
}>;

/** How often events are sent, in milliseconds. */
const PAUSE = 100;

/** Most events in one message. */
const MOST = 1000;

/** Most characters of a message. */
const MOST_MESSAGE = 4000;

const exists = (path: string): Promise<boolean> => access(path).then(() => true, () => false);
const isMissing = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENOENT";

/** Opens the connection; the first heartbeat is sent at once. */
export function uplink({ lease, client, output, progress, stop, report }: UplinkOptions): Uplink {
  const heard = (wants: "cancel" | "pause" | null): void => {
    if (wants) stop.abort(wants);
  };
  const failed = (error: unknown): void => {
    // Only the server's answer ends a run: while the server is unreachable, training continues.
    if (error instanceof AttuneError && error.code === "LEASE_LOST") stop.abort(error);
    else report(`${lease.id}: ${error}`);
  };

  const closed = new AbortController();
  const beat = async (): Promise<void> => {
    while (!closed.signal.aborted) {
      const pause = sleep(1000 * lease.heartbeatSeconds, undefined, { signal: closed.signal }).catch(() => {});
      // The server delays its response while it has nothing to report, so a user's request arrives at once.
      await client.heartbeat(lease, progress.step, progress.tokens, closed.signal).then(heard, (error) => {
        if (!closed.signal.aborted) failed(error);
      });
      await pause;
    }
  };

  // Events that have not arrived wait for the next try.
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
    // The current logs may be longer than at the checkpoint: resuming truncates them.
    const files = (await filesBelow(output)).filter((f) => f.startsWith(folder) || isResult(f));
    for (const file of files) await client.send(lease, `${name}/${file}`, join(output, file));
    // A runner that resumes from the checkpoint does not report earlier events.
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
          // A file was removed meanwhile. If it is not the checkpoint's, the checkpoint can still be sent.
          if (await exists(join(output, "checkpoints", file.name))) next ??= file;
        });
      }
    } finally {
      // Must be set here rather than in a callback: a checkpoint in between would find it set, and wait for ever.
      sending = undefined;
    }
  };

  void beat().catch(failed);
  return {
    send: (event) => {
      // The server refuses longer messages, which would lose the whole log.
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

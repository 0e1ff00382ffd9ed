/**
 * A work queue of NATS JetStream.
 * @module
 */
import type { NatsConnection } from "@nats-io/nats-core";
import * as v from "valibot";
import { connectNats, natsUrl, withoutNats } from "../../blocks/nats/mod.ts";
import { define } from "../../core/spec/define.ts";
import type { Factory, OpenQueue, Secret } from "../../core/types.ts";

/** Options of {@link nats}. */
export interface NatsOptions {
  /**
   * An address such as nats://user:password@host:4222, or an environment variable that has it, as `{ env: "NATS_URL"
   * }`; ws:// or wss:// on runtimes without sockets.
   */
  readonly url: Secret;
  /** The name of the stream, which is created if it is missing. */
  readonly stream: string;
  /** Seconds without a sign of life after which an id is handed out again. */
  readonly ackSeconds: number;
}

const CONSUMER = "runners";

/**
 * One message for each waiting job in a NATS stream; whoever takes one keeps acknowledging progress until the lease
 * ends. A deleted stream is recreated, and refilled from job records.
 *
 * @throws AttuneError from `open` if the server is not reached.
 * @example
 * ```ts
 * import { nats } from "attune/queues/nats";
 * console.assert(nats({ url: "nats://127.0.0.1:4222" }).kind === "queue");
 * ```
 */
export const nats: Factory<"queue", Partial<NatsOptions> & Pick<NatsOptions, "url">> = define({
  kind: "queue",
  name: "nats",
  schema: v.strictObject(
    {
      url: natsUrl,
      stream: v.optional(v.pipe(v.string(), v.regex(/^[\w-]{1,64}$/)), "attune-queue"),
      ackSeconds: v.optional(v.pipe(v.number(), v.gtValue(0)), 15),
    },
  ),
  create: (options: NatsOptions) => ({
    open: async (host) => await openNatsQueue(await connectNats(options.url, host), options),
  }),
});

async function openNatsQueue(connection: NatsConnection, { stream, ackSeconds }: NatsOptions): Promise<OpenQueue> {
  const { AckPolicy, DiscardPolicy, jetstream, jetstreamManager, RetentionPolicy } = await import("@nats-io/jetstream")
    .catch(withoutNats);
  const manager = await jetstreamManager(connection);
  const js = jetstream(connection);
  const ensure = async (): Promise<void> => {
    await manager.streams.add({
      name: stream,
      subjects: [`${stream}.>`],
      retention: RetentionPolicy.Workqueue,
      // A job that is queued already is not added again.
      max_msgs_per_subject: 1,
      discard: DiscardPolicy.New,
      discard_new_per_subject: true,
    });
    await manager.consumers.add(stream, {
      durable_name: CONSUMER,
      ack_policy: AckPolicy.Explicit,
      ack_wait: Math.round(1e9 * ackSeconds),
      max_ack_pending: -1,
    });
  };
  await ensure();
  /** Retries once after recreating the stream. */
  const healed = async <T>(act: () => Promise<T>): Promise<T> => {
    try {
      return await act();
    } catch {
      await ensure();
      return await act();
    }
  };
  const full = (error: unknown): void => {
    if (!/maximum messages per subject/i.test(error instanceof Error ? error.message : "")) throw error;
  };
  const speaking = new Set<ReturnType<typeof setInterval>>();
  const silence = (timer: ReturnType<typeof setInterval>): void => {
    clearInterval(timer);
    speaking.delete(timer);
  };
  return {
    push: (id) =>
      healed(async () => {
        await js.publish(`${stream}.${id}`).then(() => {}, full);
      }),
    pull: async (seconds) => {
      const next = `$JS.API.CONSUMER.MSG.NEXT.${stream}.${CONSUMER}`;
      // A separate subscription, since the reply has the message's subject, not the inbox's.
      const request = JSON.stringify({ batch: 1, no_wait: true });
      const message = await healed(() => connection.request(next, request, { timeout: 2000, noMux: true }));
      if (message.headers?.code || !message.reply) return undefined;
      const say = async (word: string): Promise<void> => {
        silence(timer);
        await connection.request(message.reply ?? "", word, { timeout: 5000 }).catch(() => {});
      };
      const until = performance.now() + 1000 * (seconds - ackSeconds);
      const timer = setInterval(() => {
        if (performance.now() > until || connection.isClosed()) silence(timer);
        else connection.publish(message.reply ?? "", "+WPI");
      }, 400 * ackSeconds);
      speaking.add(timer);
      // The timer alone must not keep the process alive.
      if (typeof timer === "object" && "unref" in timer) timer.unref();
      return { id: message.subject.slice(stream.length + 1), ack: () => say("+ACK"), nack: () => say("-NAK") };
    },
    close: async () => {
      speaking.forEach(silence);
      await connection.close();
    },
  };
}

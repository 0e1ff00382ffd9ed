/** The store of jobs, by address: a directory, or nats://host:port. */
import { resolve } from "node:path";
import type { Host, OpenQueue, Store } from "../../core/types.ts";

/** A store of jobs and its queue. */
export type JobStore = Readonly<{ store: Store; queue: OpenQueue; close(): Promise<void> }>;

/** Whether an address is a NATS server's rather than a folder. */
export function isAddress(address: string): boolean {
  return /^(nats|tls|wss?):\/\//.test(address);
}

/** Opens the store at an address. */
export async function openJobStore(address: string, host: Host): Promise<JobStore> {
  if (isAddress(address)) {
    const [{ nats: store }, { nats: queue }] = [
      await import("../../plugins/stores/nats.ts"),
      await import("../../plugins/queues/nats.ts"),
    ];
    return joined(await store({ url: address }).open(host), await queue({ url: address }).open(host));
  }
  const path = resolve(address);
  const [{ directory: store }, { directory: queue }] = [
    await import("../../plugins/stores/directory.ts"),
    await import("../../plugins/queues/directory.ts"),
  ];
  return joined(await store({ path }).open(host), await queue({ path }).open(host));
}

function joined(store: Store, queue: OpenQueue): JobStore {
  const close = async (): Promise<void> => {
    await queue.close();
    await store.close?.();
  };
  return { store, queue, close };
}

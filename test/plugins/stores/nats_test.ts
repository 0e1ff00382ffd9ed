import assert from "node:assert/strict";
import { after, describe, it } from "node:test";
import { jobsIn } from "../../../core/jobs/jobs.ts";
import { queueJob } from "../../../core/jobs/record.ts";
import type { Store } from "../../../core/types.ts";
import { nats as natsQueue } from "../../../plugins/queues/nats.ts";
import { nats } from "../../../plugins/stores/nats.ts";
import { hostHere } from "../../../runtimes/host/train.ts";
import { queueChecks, storeChecks } from "../../../conformance/mod.ts";
import { itPasses } from "../../checks.ts";
import { natsServer, noNats } from "../../nats_server.ts";

if (noNats) it("a NATS server", { skip: noNats }, () => {});
else {
  const host = await hostHere(1);
  const server = await natsServer();
  const { url } = server;
  const opened: { close?(): Promise<void> }[] = [];
  let connections = 0;
  const open = async (bucket = `b${++connections}`): Promise<Store> => {
    const store = await nats({ url, bucket }).open(host);
    opened.push(store);
    return store;
  };
  after(async () => {
    for (const one of opened) await one.close?.();
    await server.stop();
  });
  itPasses("store nats", storeChecks(() => open()));
  itPasses(
    "queue nats",
    queueChecks({
      open: async () => {
        const stream = `q${++connections}`;
        const shared = () => natsQueue({ url, stream, ackSeconds: 2 }).open(host);
        return { queue: await shared(), shared };
      },
      shortest: 2,
    }),
  );

  describe("jobs on NATS", () => {
    it("keep large values, in ranges", async () => {
      const store = await open();
      const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => i % 251);
      await store.put("dir/large file.bin", bytes);
      assert.deepEqual((await store.get("dir/large file.bin"))?.bytes, bytes);
      const part = await store.get("dir/large file.bin", { offset: 1_000_000, length: 5 });
      assert.deepEqual([part?.size, part?.bytes], [3_000_000, bytes.slice(1_000_000, 1_000_005)]);
      await store.put("dir/large file.bin", bytes.slice(0, 10));
      assert.equal((await store.get("dir/large file.bin"))?.size, 10);
      // Of several objects, with a part that two of them have.
      const larger = Uint8Array.from({ length: 9_000_000 }, (_, i) => (i >> 3) % 251);
      await store.put("large", larger);
      const seam = await store.get("large", { offset: 2 ** 22 - 3, length: 6 });
      assert.deepEqual(seam?.bytes, larger.slice(2 ** 22 - 3, 2 ** 22 + 3));
      assert.deepEqual((await store.get("large"))?.bytes, larger);
      assert.equal(await store.put("large", larger, { if: null }), "conflict");
      assert.deepEqual((await store.get("large"))?.bytes.length, 9_000_000);
    });

    it("outlive a server that is killed and a queue that is deleted", async () => {
      const stream = `q${++connections}`;
      const queue = await natsQueue({ url, stream, ackSeconds: 1 }).open(host);
      const store = await open();
      const clock = { now: () => performance.now(), time: () => Date.now() / 1000 };
      const jobs = jobsIn({ store, queue, ...clock, leaseSeconds: 30, maxAttempts: 3 });
      const ids: string[] = [];
      for (let i = 0; i < 5; i++) {
        const { id } = await jobs.create("t", {}, {});
        await jobs.change(id, (r) => queueJob(r, { needs: r.needs, estimate: {} }));
        ids.push(id);
      }
      await server.kill();
      await server.start();
      const { connect } = await import("@nats-io/transport-node");
      const { jetstreamManager } = await import("@nats-io/jetstream");
      const connection = await connect({ servers: url.replace("nats://", "") });
      await (await jetstreamManager(connection)).streams.delete(stream);
      await connection.close();
      const taken: string[] = [];
      for (let i = 0; i < 40 && taken.length < 5; i++) {
        await jobs.watch().catch(() => {});
        const job = await jobs.lease("a", () => true).catch(() => undefined);
        if (job) taken.push(job.id);
      }
      assert.deepEqual(taken.sort(), ids.sort());
      await queue.close();
    });
  });
}

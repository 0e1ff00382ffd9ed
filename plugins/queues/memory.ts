/**
 * A queue in memory.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";

/**
 * A queue in memory, refilled from job records at start.
 *
 * @example
 * ```ts
 * import { memory } from "attune/queues/memory";
 * console.assert(memory().kind === "queue");
 * ```
 */
export const memory: Factory<"queue"> = define({
  kind: "queue",
  name: "memory",
  schema: v.strictObject({}),
  create: () => ({
    open: async (host) => {
      const { now } = host.clock;
      // Until when each id is hidden; each consumer gets a new object.
      const leases = new Map<string, { until: number }>();
      return {
        push: async (id) => {
          if (!leases.has(id)) leases.set(id, { until: 0 });
        },
        pull: async (seconds, wanted = () => true) => {
          for (const [id, { until }] of leases) {
            if (until > now() || !wanted(id)) continue;
            const lease = { until: now() + 1000 * seconds };
            leases.set(id, lease);
            const mine = (): boolean => leases.get(id) === lease;
            return {
              id,
              ack: async () => void (mine() && leases.delete(id)),
              // Moves the id behind the others, so that a job nobody here can do does not block them.
              nack: async () => void (mine() && leases.delete(id) && leases.set(id, { until: 0 })),
            };
          }
          return undefined;
        },
        ids: async () => new Set(leases.keys()),
        close: async () => leases.clear(),
      };
    },
  }),
});

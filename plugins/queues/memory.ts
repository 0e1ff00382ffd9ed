/**
 * A queue in memory.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import type { Factory } from "../../core/types.ts";

/** No options. */
export type MemoryOptions = Readonly<Record<never, never>>;

/** Schema of {@link MemoryOptions}. */
export const memorySchema: v.GenericSchema<MemoryOptions, MemoryOptions> = v.strictObject({});

/**
 * A queue that lives as long as the process; records fill it again after a start.
 *
 * @example
 * ```ts
 * import { memory } from "attune/queues/memory";
 * console.assert(memory().kind === "queue");
 * ```
 */
export const memory: Factory<"queue", MemoryOptions> = define({
  kind: "queue",
  name: "memory",
  schema: memorySchema,
  create: () => ({
    open: async (host) => {
      const { now } = host.clock;
      // Until when each id is hidden; a new object for each who takes it.
      const held = new Map<string, { until: number }>();
      return {
        push: async (id) => {
          if (!held.has(id)) held.set(id, { until: 0 });
        },
        pull: async (seconds, wanted = () => true) => {
          for (const [id, { until }] of held) {
            if (until > now() || !wanted(id)) continue;
            const own = { until: now() + 1000 * seconds };
            held.set(id, own);
            const mine = (): boolean => held.get(id) === own;
            return {
              id,
              ack: async () => void (mine() && held.delete(id)),
              // Behind the others: what nobody here can do hides nothing.
              nack: async () => void (mine() && held.delete(id) && held.set(id, { until: 0 })),
            };
          }
          return undefined;
        },
        ids: async () => new Set(held.keys()),
        close: async () => held.clear(),
      };
    },
  }),
});

import { rowsInMemory } from "attune/blocks/data";
import { define, sha256 } from "attune/kit";
import * as v from "valibot";

/** Sentences that say what they are. */
export const phrases = define({
  kind: "data",
  name: "phrases",
  schema: v.strictObject({ rows: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1)), 16) }),
  create: ({ rows }) => ({
    open: async () => {
      const all = Array.from({ length: rows }, (_, i) => {
        const label = i % 3 === 0 ? "bad" : "good";
        return { text: `the ${["film", "food"][i % 2]} was ${label} .`, label };
      });
      return rowsInMemory(all, await sha256(JSON.stringify(all)));
    },
  }),
});

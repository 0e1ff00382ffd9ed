/** interim */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import type { Factory, Row } from "../../core/types.ts";
export const memory: Factory<"dataset", { rows: Row[] }> = define({ kind: "dataset", name: "memory", schema: v.strictObject({ rows: v.array(v.record(v.string(), v.unknown())) }), create: ({ rows }) => ({
  open: async () => ({ length: rows.length, fingerprint: `${rows.length}`, read: async function* () { let at = 0; for (const row of rows) yield { row, next: { at: ++at } }; } }),
  }) });

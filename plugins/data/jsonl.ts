/** interim */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import type { Factory, Row } from "../../core/types.ts";
export const jsonl: Factory<"dataset", { path: string }> = define({ kind: "dataset", name: "jsonl", schema: v.strictObject({ path: v.string() }), create: ({ path }) => ({
  open: async (host) => {
    const f = await host.directory!(path.replace(/\/[^/]*$/, "")).get(path.split("/").at(-1)!);
    const rows: Row[] = new TextDecoder().decode(f!.bytes).split("\n").filter((l) => l.trim()).map((l) => JSON.parse(l));
    return { length: rows.length, fingerprint: `${rows.length}`, read: async function* () { let at = 0; for (const row of rows) yield { row, next: { at: ++at } }; } };
  } }) });

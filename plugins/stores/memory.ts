/** interim */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import type { Factory } from "../../core/types.ts";
export const memory: Factory<"store", {}> = define({ kind: "store", name: "memory", schema: v.strictObject({}), create: () => ({ open: async () => {
  const m = new Map<string, Uint8Array>(); const s = (key: string) => ({ key, size: m.get(key)!.length, revision: "1" });
  return { get: async (k) => m.has(k) ? { ...s(k), bytes: m.get(k)!.slice() } : undefined, put: async (k, b) => { m.set(k, (b as Uint8Array).slice()); return s(k); }, delete: async (k) => { m.delete(k); return "done" as const; }, list: async function* (p) { for (const k of m.keys()) if (k.startsWith(p)) yield s(k); } };
} }) });

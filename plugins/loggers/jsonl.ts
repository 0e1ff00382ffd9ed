/** interim */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import type { Factory } from "../../core/types.ts";
export const jsonl: Factory<"logger", {}> = define({ kind: "logger", name: "jsonl", schema: v.strictObject({}), create: () => ({ open: async () => ({ log: () => {}, close: async () => {} }) }) });

/** interim */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import type { Factory } from "../../core/types.ts";
export const report: Factory<"logger", {}> = define({ kind: "logger", name: "report", schema: v.strictObject({}), create: () => ({ open: async () => ({ log: () => {}, close: async () => {} }) }) });

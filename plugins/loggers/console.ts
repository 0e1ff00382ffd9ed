/** interim */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import type { Factory } from "../../core/types.ts";
export const consoleLogger: Factory<"logger", {}> = define({ kind: "logger", name: "console", schema: v.strictObject({}), create: () => ({ open: async (host) => ({ log: (e) => { if (e.type !== "examples" && e.type !== "step") host.terminal?.write(JSON.stringify(e) + "\n"); }, close: async () => {} }) }) });

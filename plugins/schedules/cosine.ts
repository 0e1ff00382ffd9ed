/** interim */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import type { Factory } from "../../core/types.ts";
export const cosine: Factory<"schedule", { warmupSteps?: number }> = define({ kind: "schedule", name: "cosine", schema: v.object({ warmupSteps: v.optional(v.number(), 0) }), create: ({ warmupSteps: w }) => ({ factor: (s, n) => s < w ? s / w : Math.max(0, (n - s) / (n - w)) }) });

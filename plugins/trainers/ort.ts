/**
 * The trainer that runs in this process, on ONNX Runtime.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { planRun } from "../../core/run/plan/plan.ts";
import { trainRun } from "../../core/run/train/train.ts";
import type { Factory } from "../../core/types.ts";

/**
 * Trains in this process with the host's onnxruntime.
 *
 * @example
 * ```ts
 * import { ort } from "attune/trainers/ort";
 * console.assert(ort().name === "ort");
 * ```
 */
export const ort: Factory<"trainer"> = define({
  kind: "trainer",
  name: "ort",
  schema: v.strictObject({}),
  create: () => ({ plan: planRun, train: trainRun }),
});

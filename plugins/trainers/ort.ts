/**
 * The trainer that runs here, on ONNX Runtime.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { planRun } from "../../core/run/plan/plan.ts";
import { trainRun } from "../../core/run/train/train.ts";
import type { Factory } from "../../core/types.ts";

/** No options. */
export type OrtOptions = Readonly<Record<never, never>>;

/** Schema of {@link OrtOptions}. */
export const ortSchema: v.GenericSchema<OrtOptions, OrtOptions> = v.strictObject({});

/**
 * Trains in this process with the host's onnxruntime.
 *
 * @example
 * ```ts
 * import { ort } from "attune/trainers/ort";
 * console.assert(ort().name === "ort");
 * ```
 */
export const ort: Factory<"trainer", OrtOptions> = define({
  kind: "trainer",
  name: "ort",
  schema: ortSchema,
  create: () => ({ plan: planRun, train: trainRun }),
});

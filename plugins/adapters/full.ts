/**
 * Full fine-tuning, stated explicitly: every parameter of the model is trained.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";

/**
 * Trains all parameters, like a run without an adapter.
 *
 * @example
 * ```ts
 * import { full } from "attune/adapters/full";
 * console.assert(full().kind === "adapter");
 * ```
 */
export const full: Factory<"adapter"> = define({
  kind: "adapter",
  name: "full",
  schema: v.strictObject({}),
  create: () => ({ attach: () => ({ isTrainable: () => true }) }),
});

/**
 * No pruning.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";

/**
 * Ends no trial early.
 *
 * @example
 * ```ts
 * import { none } from "attune/pruners/none";
 * console.assert(none().name === "none");
 * ```
 */
export const none: Factory<"pruner"> = define({
  kind: "pruner",
  name: "none",
  schema: v.strictObject({}),
  create: () => ({ prune: () => false }),
});

/**
 * No pruning.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import type { Factory } from "../../core/types.ts";

/** No options. */
export type NoneOptions = Readonly<Record<never, never>>;

/** Schema of {@link NoneOptions}. */
export const noneSchema: v.GenericSchema<NoneOptions, NoneOptions> = v.strictObject({});

/**
 * Ends no trial early.
 *
 * @example
 * ```ts
 * import { none } from "attune/pruners/none";
 * console.assert(none().name === "none");
 * ```
 */
export const none: Factory<"pruner", NoneOptions> = define({
  kind: "pruner",
  name: "none",
  schema: noneSchema,
  create: () => ({ prune: () => false }),
});

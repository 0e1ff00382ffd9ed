/**
 * BitFit: only the biases are trained.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { missing } from "../../core/base/errors.ts";
import type { Factory } from "../../core/types.ts";
import { savedModules } from "../../formats/peft/modules_to_save.ts";

/** Options of {@link bitfit}. */
export interface BitfitOptions {
  /** Modules that are trained in full; null: the task's head. */
  readonly modulesToSave: readonly string[] | null;
}

/**
 * Trains every bias of the model, and its head (Ben Zaken et al. 2022). The result is a whole model.
 *
 * @throws AttuneError on attaching if the model has no biases.
 * @example
 * ```ts
 * import { bitfit } from "attune/adapters/bitfit";
 * console.assert(bitfit().name === "bitfit");
 * ```
 */
export const bitfit: Factory<"adapter", Partial<BitfitOptions>> = define({
  kind: "adapter",
  name: "bitfit",
  schema: v.strictObject({
    modulesToSave: v.optional(v.nullable(v.array(v.string())), null),
  }),
  create: ({ modulesToSave }: BitfitOptions) => ({
    attach: (backbone, context) => {
      if (!backbone.parameters.some((name) => name.endsWith(".bias"))) {
        throw missing("bitfit", "a bias", backbone.family.modelType);
      }
      const saves = savedModules(modulesToSave, context.modules);
      return { isTrainable: (name) => (name.endsWith(".bias") ? true : saves.isTrainable(name)) };
    },
  }),
});

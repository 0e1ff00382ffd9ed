/**
 * LN tuning: only the normalization layers are trained.
 * @module
 */
import * as v from "valibot";
import { matchModules } from "../../core/patterns/module_patterns.ts";
import type { Factory } from "../../core/types.ts";
import { peftRecord } from "../../formats/peft/record.ts";
import { savedModules } from "../../formats/peft/modules_to_save.ts";
import { defaultTargets, definePeft, moduleNames, savedEntries, type SavedOptions } from "../../blocks/adapter/mod.ts";

/** Options of {@link lnTuning}, PEFT's LNTuningConfig in camelCase. */
export interface LnTuningOptions extends SavedOptions {
  /** Modules by the end of their path, or a regular expression for the whole path; null: the family's default. */
  readonly targetModules: string | readonly string[] | null;
  /** Modules to exclude from the targets. */
  readonly excludeModules: string | readonly string[] | null;
}

const inside = ".ln_tuning_layers.";

/**
 * Trains the weights and biases of the norms (Zhao et al. 2024).
 *
 * @throws AttuneError on attaching if no module matches.
 * @example
 * ```ts
 * import { lnTuning } from "attune/adapters/ln-tuning";
 * console.assert(lnTuning().name === "ln-tuning");
 * ```
 */
export const lnTuning: Factory<"adapter", Partial<LnTuningOptions>> = definePeft<LnTuningOptions>({
  name: "ln-tuning",
  type: "LN_TUNING",
  prefix: "base_model.model.",
  schema: v.strictObject({
    targetModules: v.optional(v.nullable(moduleNames), null),
    excludeModules: v.optional(v.nullable(moduleNames), null),
    ...savedEntries,
  }),
  attach: (o, backbone, context, saved) => {
    const saves = savedModules(o.modulesToSave, context.modules);
    const modules = [...new Set(backbone.parameters.map((name) => name.slice(0, name.lastIndexOf("."))))]
      .filter((path) => !saves.has(path) && !backbone.linears.includes(path) && !backbone.embeddings.includes(path));
    const wanted = o.targetModules ?? defaultTargets("ln-tuning", "targetModules", backbone, "norms");
    const targets = matchModules("ln-tuning", wanted, modules, o.excludeModules);
    const inTarget = (name: string): boolean => targets.has(name.slice(0, name.lastIndexOf(".")));
    return {
      copies: saves.copies,
      isTrainable: (name) => (saves.isTrainable(name) ?? (inTarget(name) ? true : undefined)),
      ...(saved
        ? {
          weights: {
            ...saved,
            names: saved.names.map((name) => name.replace(inside, ".")),
            read: (name) => {
              const dot = name.lastIndexOf(".");
              const nested = name.slice(0, dot) + inside + name.slice(dot + 1);
              return saved.read(saved.names.includes(nested) ? nested : name);
            },
          },
        }
        : {}),
      record: peftRecord("LN_TUNING", () => ({ ...o, targetModules: wanted, modulesToSave: saves.names }), context, {
        key: (name) => {
          const dot = name.lastIndexOf(".");
          return `base_model.model.${inTarget(name) ? name.slice(0, dot) + inside + name.slice(dot + 1) : name}`;
        },
      }),
    };
  },
});

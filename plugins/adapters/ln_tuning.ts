/**
 * LN tuning: the normalization layers train, all else is frozen.
 * @module
 */
import * as v from "valibot";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { matchModules } from "../../core/patterns/module_patterns.ts";
import type { AttachContext, AttachedAdapter, Factory, InspectedBackbone, Weights } from "../../core/types.ts";
import { defaultTargets, loadable, moduleNames } from "../../blocks/adapter/mod.ts";
import { peftRecord } from "../../formats/peft/record.ts";
import { savedModules } from "../../formats/peft/modules_to_save.ts";
import { readPeft } from "../../formats/peft/read.ts";

/** Options of {@link lnTuning}, PEFT's LNTuningConfig in camelCase. */
export interface LnTuningOptions {
  /** Modules by the end of their path, or a regular expression for the whole path; null: the family's default. */
  readonly targetModules: string | readonly string[] | null;
  /** Modules to exclude from the targets. */
  readonly excludeModules: string | readonly string[] | null;
  /** Modules that are trained in full; null: the task's head. */
  readonly modulesToSave: readonly string[] | null;
  /** The folder of an adapter saved by PEFT, to continue training it; its config replaces the options above. */
  readonly from: string | null;
}

const entries = {
  targetModules: v.optional(v.nullable(moduleNames), null),
  excludeModules: v.optional(v.nullable(moduleNames), null),
  modulesToSave: v.optional(v.nullable(v.array(v.string())), null),
  from: role(v.optional(v.nullable(v.string()), null), { role: "path" }),
};

/** Schema of {@link LnTuningOptions}. */
export const lnTuningSchema: v.GenericSchema<Partial<LnTuningOptions>, LnTuningOptions> = v.strictObject(entries);

const inside = ".ln_tuning_layers.";

const reader = readPeft({
  name: "ln-tuning",
  type: "LN_TUNING",
  prefix: "base_model.model.",
  schema: lnTuningSchema,
  names: Object.keys(entries),
});

/**
 * Trains the weights and biases of the norms (Zhao et al. 2024).
 *
 * @throws AttuneError on attaching where no module matches.
 * @example
 * ```ts
 * import { lnTuning } from "attune/adapters/ln-tuning";
 * console.assert(lnTuning().name === "ln-tuning");
 * ```
 */
export const lnTuning: Factory<"adapter", Partial<LnTuningOptions>> = define({
  kind: "adapter",
  name: "ln-tuning",
  schema: lnTuningSchema,
  create: (options) => loadable(reader, options, attach),
});

function attach(
  o: LnTuningOptions,
  backbone: InspectedBackbone,
  context: AttachContext,
  saved?: Weights,
): AttachedAdapter {
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
}

/**
 * IA3: keys, values and feed-forward activations rescaled by learned vectors.
 * @module
 */
import * as v from "valibot";
import { badValue } from "../../core/base/errors.ts";
import { mul, reshape } from "../../core/graph/ops/functions.ts";
import { matches, matchModules } from "../../core/patterns/module_patterns.ts";
import type { Factory } from "../../core/types.ts";
import { peftRecord } from "../../formats/peft/record.ts";
import { savedModules } from "../../formats/peft/modules_to_save.ts";
import { wrappedKey } from "../../formats/peft/wrapped_key.ts";
import {
  defaultTargets,
  definePeft,
  moduleNames,
  savedEntries,
  type SavedOptions,
  selectAdaptable,
} from "../../blocks/adapter/mod.ts";

/** Options of {@link ia3}, PEFT's IA3Config in camelCase. */
export interface Ia3Options extends SavedOptions {
  /** Modules by the end of their path, or a regular expression for the whole path; null: the family's default. */
  readonly targetModules: string | readonly string[] | null;
  /** Modules to exclude from the targets. */
  readonly excludeModules: string | readonly string[] | null;
  /** The targets whose input is rescaled instead of their output; null: the family's default. */
  readonly feedforwardModules: string | readonly string[] | null;
  /** Whether vectors start as ones; otherwise they are normal with standard deviation 0.02. */
  readonly initIa3Weights: boolean;
  /** How weights are stored, as PEFT records it. Attune reads this from the model, so either value is accepted. */
  readonly fanInFanOut: boolean;
}

/**
 * y = l ⊙ (W x + b), or y = W (l ⊙ x) + b in feed-forward modules, with W and b frozen (Liu et al. 2022).
 *
 * @throws AttuneError on attaching if no module matches; the message lists those there are.
 * @example
 * ```ts
 * import { ia3 } from "attune/adapters/ia3";
 * console.assert(ia3({ targetModules: ["key", "value"], feedforwardModules: [] }).name === "ia3");
 * ```
 */
export const ia3: Factory<"adapter", Partial<Ia3Options>> = definePeft<Ia3Options>({
  name: "ia3",
  type: "IA3",
  prefix: "base_model.model.",
  schema: v.strictObject({
    targetModules: v.optional(v.nullable(moduleNames), null),
    excludeModules: v.optional(v.nullable(moduleNames), null),
    feedforwardModules: v.optional(v.nullable(v.union([v.string(), v.array(v.string())])), null),
    modulesToSave: savedEntries.modulesToSave,
    initIa3Weights: v.optional(v.boolean(), true),
    fanInFanOut: v.optional(v.boolean(), false),
    from: savedEntries.from,
  }),
  attach: (o, backbone, context, saved) => {
    const saves = savedModules(o.modulesToSave, context.modules);
    const fed = o.feedforwardModules ??
      (o.targetModules === null ? defaultTargets("ia3", "feedforwardModules", backbone, "feedForward") : []);
    const wanted = o.targetModules ??
      [...defaultTargets("ia3", "targetModules", backbone, "keysValues"), ...(typeof fed === "string" ? [fed] : fed)];
    const targets = matchModules("ia3", wanted, selectAdaptable(backbone, wanted, saves.has), o.excludeModules);
    if (typeof wanted !== "string" && typeof fed !== "string") {
      const stray = fed.find((name) => !wanted.includes(name));
      if (stray !== undefined) throw badValue("ia3", "adapter.with.feedforwardModules", stray, `one of ${wanted}`);
    }
    // PEFT compares the end of a path, without requiring a dot before it.
    const feeds = (path: string): boolean =>
      typeof fed === "string" ? matches(path, fed) : fed.some((name) => path.endsWith(name));
    const vectorName = (path: string): string => `${path}.ia3_l`;
    const init = o.initIa3Weights ? "ones" as const : { normal: 0.02 };
    return {
      linear: (b, call, next) => {
        const { path, x, inFeatures, outFeatures } = call;
        if (!targets.has(path)) return next(call);
        if (feeds(path)) {
          return next({ ...call, x: mul(x, b.parameter(vectorName(path), [1, inFeatures], init)) });
        }
        return mul(next(call), reshape(b.parameter(vectorName(path), [outFeatures, 1], init), [1, outFeatures]));
      },
      copies: saves.copies,
      isTrainable: saves.isTrainable,
      weights: saved,
      merge: (name, value, read) => {
        const dot = name.lastIndexOf(".");
        const [path, part] = [name.slice(0, dot), name.slice(dot + 1)];
        if (!targets.has(path) || (part === "bias" && feeds(path))) return value;
        const { data: scales } = read(vectorName(path));
        const width = value.dims[1] ?? 1;
        const at = (i: number): number => (feeds(path) ? i % width : Math.floor(i / width));
        return { ...value, data: value.data.map((x, i) => x * (scales[at(i)] ?? 0)) };
      },
      record: peftRecord(
        "IA3",
        () => ({
          ...o,
          targetModules: wanted,
          feedforwardModules: fed,
          modulesToSave: saves.names,
          fanInFanOut: [...targets].some((path) => backbone.conv1ds.includes(path)),
        }),
        context,
        {
          key: wrappedKey((path) => targets.has(path)),
        },
      ),
    };
  },
});

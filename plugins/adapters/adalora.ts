/**
 * AdaLoRA: low-rank updates that move ranks, during training, to where they matter most.
 * @module
 */
import * as v from "valibot";
import { badValue } from "../../core/base/errors.ts";
import { add, gemm, mul, sqrt, square, sub, sum } from "../../core/graph/ops/functions.ts";
import { matchModules } from "../../core/patterns/module_patterns.ts";
import { most } from "../../core/base/most.ts";
import type { Factory, GraphBuilder, Value } from "../../core/types.ts";
import { type Budget, rankStepper } from "./adalora/rank_allocation.ts";
import { peftRecord } from "../../formats/peft/record.ts";
import { savedModules } from "../../formats/peft/modules_to_save.ts";
import { wrappedKey } from "../../formats/peft/wrapped_key.ts";
import {
  defaultTargets,
  definePeft,
  inLayers,
  moduleNames,
  savedEntries,
  type SavedOptions,
  savedOrBias,
  selectAdaptable,
  type TargetOptions,
  withProduct,
} from "../../blocks/adapter/mod.ts";

/** Options of {@link adalora}, PEFT's AdaLoraConfig in camelCase. */
export interface AdaloraOptions extends SavedOptions, TargetOptions {
  /** Mean rank at the end. */
  readonly targetR: number;
  /** Rank of every module at the start. */
  readonly initR: number;
  /** Steps at the start without pruning. */
  readonly tinit: number;
  /** Steps at the end in which ranks no longer change. */
  readonly tfinal: number;
  /** Steps between two allocations of ranks. */
  readonly deltaT: number;
  /** Smoothing of the sensitivity. */
  readonly beta1: number;
  /** Smoothing of its uncertainty. */
  readonly beta2: number;
  /** Weight of the term that keeps singular vectors orthogonal. */
  readonly orthRegWeight: number;
  /** The number of all steps; null: that of the run. */
  readonly totalStep: number | null;
  /** Numerator of the scale; its denominator is `initR`. */
  readonly loraAlpha: number;
  /** Dropout on the input of the update. */
  readonly loraDropout: number;
  /** Modules to exclude from the targets. */
  readonly excludeModules: string | readonly string[] | null;
  /** Which biases of the model are trained: none, all, or those of the targets. */
  readonly bias: "none" | "all" | "lora_only";
  /** The remaining ranks of a saved adapter, as its config records them. */
  readonly rankPattern: Readonly<Record<string, readonly boolean[]>> | null;
}

const count = (least: number) => v.pipe(v.number(), v.integer(), v.minValue(least));
const rank = v.pipe(count(1), v.maxValue(most.rank));
const smoothing = v.pipe(v.number(), v.gtValue(0), v.ltValue(1));
/**
 * y = W x + b + (α/r₀) · B (E ⊙ A) dropout(x), where the least important singular values E are set to zero, down to a
 * budget that falls cubically; orthRegWeight · mean ‖P Pᵀ - I‖ is added to the training loss (Zhang et al. 2023).
 *
 * @throws AttuneError on attaching if no module matches or steps leave no room for allocation.
 * @example
 * ```ts
 * import { adalora } from "attune/adapters/adalora";
 * console.assert(adalora({ initR: 6, targetR: 4 }).name === "adalora");
 * ```
 */
export const adalora: Factory<"adapter", Partial<AdaloraOptions>> = definePeft<AdaloraOptions>({
  name: "adalora",
  type: "ADALORA",
  prefix: "base_model.model.",
  schema: v.strictObject({
    targetR: v.optional(rank, 8),
    initR: v.optional(rank, 12),
    tinit: v.optional(count(0), 0),
    tfinal: v.optional(count(0), 0),
    deltaT: v.optional(count(1), 1),
    beta1: v.optional(smoothing, 0.85),
    beta2: v.optional(smoothing, 0.85),
    orthRegWeight: v.optional(v.pipe(v.number(), v.minValue(0)), 0.5),
    totalStep: v.optional(v.nullable(count(1)), null),
    loraAlpha: v.optional(v.pipe(v.number(), v.gtValue(0)), 8),
    loraDropout: v.optional(v.pipe(v.number(), v.minValue(0), v.ltValue(1)), 0),
    targetModules: v.optional(v.nullable(moduleNames), null),
    excludeModules: v.optional(v.nullable(moduleNames), null),
    bias: v.optional(v.picklist(["none", "all", "lora_only"]), "none"),
    modulesToSave: savedEntries.modulesToSave,
    layersToTransform: v.optional(v.nullable(v.union([v.number(), v.array(v.number())])), null),
    layersPattern: v.optional(v.nullable(moduleNames), null),
    rankPattern: v.optional(v.nullable(v.record(v.string(), v.array(v.boolean()))), null),
    fanInFanOut: v.optional(v.boolean(), false),
    from: savedEntries.from,
  }),
  // The first is LoRA's rank, which AdaLoRA does not use.
  ignoredFields: [
    "r",
    "init_lora_weights",
    "megatron_core",
    "qalora_group_size",
    "ensure_weight_tying",
    "eva_config",
    "corda_config",
    "loftq_config",
    "lora_ga_config",
  ],
  attach: (o, backbone, context, saved) => {
    if (o.targetR > o.initR) throw badValue("adalora", "adapter.with.targetR", o.targetR, `at most initR (${o.initR})`);
    const saves = savedModules(o.modulesToSave, context.modules);
    const wanted = o.targetModules ?? defaultTargets("adalora", "targetModules", backbone, "adalora", "attention");
    const linears = selectAdaptable(backbone, wanted, saves.has);
    const targets = inLayers(matchModules("adalora", wanted, linears, o.excludeModules), o);
    if (targets.length === 0) {
      throw badValue(
        "adalora",
        "adapter.with.layersToTransform",
        o.layersToTransform,
        "numbers of layers that contain targets",
      );
    }
    const tensorName = (path: string, part: "A" | "B" | "E"): string => `${path}.lora_${part}`;
    const rankOf = (path: string): number => {
      const rank = o.rankPattern?.[tensorName(path, "E")];
      return rank ? rank.filter(Boolean).length : o.initR;
    };
    // A module without remaining ranks adds nothing.
    const adapted = new Set(targets.filter((path) => rankOf(path) > 0));
    const scale = o.loraAlpha / (o.initR + 1e-5);
    const sizes = (path: string): readonly [out: number, inner: number] => {
      const [rows = 0, columns = 0] = backbone.shapes[`${path}.weight`] ?? [];
      return backbone.conv1ds.includes(path) ? [columns, rows] : [rows, columns];
    };
    const factors = (b: GraphBuilder, path: string): Readonly<{ a: Value; bb: Value; e: Value }> => {
      const [out, inner] = sizes(path);
      const r = rankOf(path);
      return {
        a: b.parameter(tensorName(path, "A"), [r, inner], { normal: 0.02 }),
        bb: b.parameter(tensorName(path, "B"), [out, r], { normal: 0.02 }),
        e: b.parameter(tensorName(path, "E"), [r, 1], "zeros"),
      };
    };
    const budget: Budget = {
      ...o,
      modules: [...adapted].map((path) => ({
        a: tensorName(path, "A"),
        b: tensorName(path, "B"),
        e: tensorName(path, "E"),
      })),
    };
    let totalSteps = o.totalStep ?? undefined;
    return {
      linear: (b, call, next) => {
        const y = next(call);
        if (!adapted.has(call.path)) return y;
        const { a, bb, e } = factors(b, call.path);
        const inner = gemm(b.dropout(call.x, o.loraDropout), mul(a, e), undefined, { transB: true });
        return add(y, gemm(inner, bb, undefined, { alpha: scale, transB: true }));
      },
      ...(o.orthRegWeight > 0
        ? {
          penalty: (b) => {
            const terms = [...adapted].flatMap((path) => {
              const { a, bb } = factors(b, path);
              return [unevenness(a, false), unevenness(bb, true)];
            });
            return mul(terms.reduce((x, y) => add(x, y)), o.orthRegWeight / terms.length);
          },
        }
        : {}),
      stepHook: () => rankStepper(budget, (steps) => (totalSteps = steps)),
      copies: saves.copies,
      isTrainable: savedOrBias(saves, o.bias, adapted),
      weights: saved,
      roleOf: (name) => {
        const module = /^(.*)\.lora_[AB]$/.exec(name)?.[1];
        return module === undefined ? undefined : { module, role: "factor" };
      },
      merge: (name, value, read) => {
        const path = name.replace(/\.weight$/, "");
        if (!adapted.has(path) || path === name) return value;
        return withProduct(
          value,
          read(tensorName(path, "A")),
          read(tensorName(path, "B")),
          read(tensorName(path, "E")),
          scale,
        );
      },
      record: peftRecord(
        "ADALORA",
        () => ({
          ...o,
          targetModules: wanted,
          modulesToSave: saves.names,
          layersToTransform: o.layersToTransform === null ? null : [o.layersToTransform].flat(),
          rankPattern: o.rankPattern,
          // PEFT requires a number, even if nothing is trained any more.
          totalStep: totalSteps ?? o.tinit + o.tfinal + 1,
          fanInFanOut: targets.some((path) => backbone.conv1ds.includes(path)),
        }),
        context,
        {
          key: wrappedKey((path) => adapted.has(path)),
        },
      ),
    };
  },
});

/** Returns ‖P Pᵀ - I‖ over the rows of P, or over its columns. */
function unevenness(p: Value, columns: boolean): Value {
  const gram = gemm(p, p, undefined, columns ? { transA: true } : { transB: true });
  const n = Number(gram.shape[0]);
  const identity = p.graph.constant({
    dtype: "float32",
    dims: [n, n],
    data: Float32Array.from({ length: n * n }, (_, i) => (i % (n + 1) === 0 ? 1 : 0)),
  });
  return sqrt(sum(square(sub(gram, identity))));
}

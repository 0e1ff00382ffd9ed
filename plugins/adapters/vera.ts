/**
 * VeRA: one pair of frozen random matrices for all layers, and two trained vectors in each.
 * @module
 */
import * as v from "valibot";
import { missing } from "../../core/base/errors.ts";
import { add, gemm, mul, slice } from "../../core/graph/ops/functions.ts";
import { matchModules } from "../../core/patterns/module_patterns.ts";
import { most } from "../../core/base/most.ts";
import type { Factory, GraphBuilder, Initializer, Value } from "../../core/types.ts";
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

/** Options of {@link vera}, PEFT's VeraConfig in camelCase. */
export interface VeraOptions extends SavedOptions, TargetOptions {
  /** Rank of the random matrices. */
  readonly r: number;
  /** Seed of the random matrices, in addition to the run's. */
  readonly projectionPrngKey: number;
  /** The matrices are always saved, because no other library draws the same ones. */
  readonly saveProjection: true;
  /** Dropout on the input of A. */
  readonly veraDropout: number;
  /** Initial value of the inner vector. */
  readonly dInitial: number;
  /** Which biases of the model are trained: none, all, or those of the targets. */
  readonly bias: "none" | "all" | "vera_only";
  /** True: the inner vector starts with `dInitial`, the outer with zeros; false: with normal values and ones. */
  readonly initWeights: boolean;
}

const sharedA = "base_model.vera_A";
const sharedB = "base_model.vera_B";

/**
 * y = W x + b + λ_b ⊙ B (λ_d ⊙ A x), A and B random, frozen, and shared by all layers; each layer uses a part of them
 * (Kopiczko et al. 2024).
 *
 * @throws AttuneError on attaching if no module matches.
 * @example
 * ```ts
 * import { vera } from "attune/adapters/vera";
 * console.assert(vera({ r: 64 }).name === "vera");
 * ```
 */
export const vera: Factory<"adapter", Partial<VeraOptions>> = definePeft<VeraOptions>({
  name: "vera",
  type: "VERA",
  prefix: "base_model.model.",
  schema: v.strictObject({
    r: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.rank)), 256),
    targetModules: v.optional(v.nullable(moduleNames), null),
    projectionPrngKey: v.optional(v.pipe(v.number(), v.integer()), 0),
    saveProjection: v.optional(v.literal(true), true),
    veraDropout: v.optional(v.pipe(v.number(), v.minValue(0), v.ltValue(1)), 0),
    dInitial: v.optional(v.pipe(v.number(), v.finite()), 0.1),
    bias: v.optional(v.picklist(["none", "all", "vera_only"]), "none"),
    modulesToSave: savedEntries.modulesToSave,
    initWeights: v.optional(v.boolean(), true),
    layersToTransform: v.optional(v.nullable(v.union([v.number(), v.array(v.number())])), null),
    layersPattern: v.optional(v.nullable(moduleNames), null),
    fanInFanOut: v.optional(v.boolean(), false),
    from: savedEntries.from,
  }),
  attach: (o, backbone, context, saved) => {
    const saves = savedModules(o.modulesToSave, context.modules);
    const wanted = o.targetModules ?? defaultTargets("vera", "targetModules", backbone, "vera", "attention");
    const found = matchModules("vera", wanted, selectAdaptable(backbone, wanted, saves.has));
    const targets = new Set(inLayers(found, o));
    const sizes = [...targets].map((path) => backbone.shapes[`${path}.weight`] ?? [0, 0]).map((dims, i) =>
      backbone.conv1ds.includes([...targets][i] ?? "") ? [dims[1] ?? 0, dims[0] ?? 0] : dims
    );
    const mostOut = Math.max(...sizes.map(([out = 0]) => out));
    const mostIn = Math.max(...sizes.map(([, inner = 0]) => inner));
    if (!(mostOut > 0 && mostIn > 0)) {
      throw missing("vera", "layers of these numbers", "adapter.with.layersToTransform");
    }
    const vectorName = (path: string, part: "b" | "d"): string => `${path}.vera_lambda_${part}`;
    // Kaiming-uniform with gain √2, as in PEFT.
    const matrix = (b: GraphBuilder, name: string, shape: readonly [number, number]): Value => {
      const bound = Math.sqrt(6 / shape[1]);
      return b.parameter(name, shape, async (_, random) => {
        const stream = random.fork("projection", o.projectionPrngKey);
        return Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => bound * (2 * stream.uniform(i) - 1));
      }, { frozen: true });
    };
    return {
      linear: (b, call, next) => {
        const { path, x, inFeatures, outFeatures } = call;
        const y = next(call);
        if (!targets.has(path)) return y;
        const a = slice(matrix(b, sharedA, [o.r, mostIn]), 1, 0, inFeatures);
        const bb = slice(matrix(b, sharedB, [mostOut, o.r]), 0, 0, outFeatures);
        const d = b.parameter(vectorName(path, "d"), [o.r], o.initWeights ? filled(o.r, o.dInitial) : { normal: 1 });
        const outer = b.parameter(vectorName(path, "b"), [outFeatures], o.initWeights ? "zeros" : "ones");
        const inner = mul(gemm(b.dropout(x, o.veraDropout), a, undefined, { transB: true }), d);
        return add(y, mul(gemm(inner, bb, undefined, { transB: true }), outer));
      },
      copies: saves.copies,
      isTrainable: savedOrBias(saves, o.bias, targets),
      weights: saved,
      merge: (name, value, read) => {
        const path = name.replace(/\.weight$/, "");
        return targets.has(path) && path !== name
          ? withProduct(
            value,
            read(sharedA),
            read(sharedB),
            read(vectorName(path, "d")),
            1,
            read(vectorName(path, "b")),
          )
          : value;
      },
      record: peftRecord(
        "VERA",
        () => ({
          ...o,
          targetModules: wanted,
          modulesToSave: saves.names,
          layersToTransform: o.layersToTransform === null ? null : [o.layersToTransform].flat(),
          fanInFanOut: [...targets].some((path) => backbone.conv1ds.includes(path)),
        }),
        context,
        {
          key: wrappedKey((path) => targets.has(path)),
          derived: async (read) => ({ [sharedA]: await read(sharedA), [sharedB]: await read(sharedB) }),
        },
      ),
    };
  },
});

function filled(length: number, value: number): Initializer {
  return () => Promise.resolve(new Float32Array(length).fill(value));
}

/**
 * VeRA: one pair of frozen random matrices for all layers, and two trained vectors in each.
 * @module
 */
import * as v from "valibot";
import { role } from "../../blocks/options/mod.ts";
import { define } from "../../core/spec/define.ts";
import { missing } from "../../core/base/errors.ts";
import { add, gemm, mul, slice } from "../../core/graph/ops/functions.ts";
import { matchModules } from "../../core/patterns/module_patterns.ts";
import { most } from "../../core/base/most.ts";
import type {
  AttachContext,
  AttachedAdapter,
  Factory,
  GraphBuilder,
  Initializer,
  InspectedBackbone,
  Tensor,
  Value,
  Weights,
} from "../../core/types.ts";
import { defaultTargets, inLayers, loadable, moduleNames, selectAdaptable } from "../../blocks/adapter/mod.ts";
import { peftRecord } from "../../formats/peft/record.ts";
import { savedModules } from "../../formats/peft/modules_to_save.ts";
import { readPeft } from "../../formats/peft/read.ts";
import { wrappedKey } from "../../formats/peft/wrapped_key.ts";

/** Options of {@link vera}, PEFT's VeraConfig in camelCase. */
export interface VeraOptions {
  /** Rank of the random matrices. */
  readonly r: number;
  /**
   * Modules by the end of their path, or a regular expression for the whole path, or "all-linear"; null: the family's
   * default.
   */
  readonly targetModules: string | readonly string[] | null;
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
  /** Modules that are trained in full; null: the task's head. */
  readonly modulesToSave: readonly string[] | null;
  /** True: the inner vector starts with `dInitial`, the outer with zeros; false: with normal values and ones. */
  readonly initWeights: boolean;
  /** Only layers with these numbers. */
  readonly layersToTransform: number | readonly number[] | null;
  /** The name of the list of layers in module paths. */
  readonly layersPattern: string | readonly string[] | null;
  /** How weights are stored, as PEFT records it. Attune reads this from the model, so either value is accepted. */
  readonly fanInFanOut: boolean;
  /** The folder of an adapter saved by PEFT, to continue training it; its config replaces the options above. */
  readonly from: string | null;
}

const entries = {
  r: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.rank)), 256),
  targetModules: v.optional(v.nullable(moduleNames), null),
  projectionPrngKey: v.optional(v.pipe(v.number(), v.integer()), 0),
  saveProjection: v.optional(v.literal(true), true),
  veraDropout: v.optional(v.pipe(v.number(), v.minValue(0), v.ltValue(1)), 0),
  dInitial: v.optional(v.pipe(v.number(), v.finite()), 0.1),
  bias: v.optional(v.picklist(["none", "all", "vera_only"]), "none"),
  modulesToSave: v.optional(v.nullable(v.array(v.string())), null),
  initWeights: v.optional(v.boolean(), true),
  layersToTransform: v.optional(v.nullable(v.union([v.number(), v.array(v.number())])), null),
  layersPattern: v.optional(v.nullable(moduleNames), null),
  fanInFanOut: v.optional(v.boolean(), false),
  from: role(v.optional(v.nullable(v.string()), null), { role: "path" }),
};

/** Schema of {@link VeraOptions}. */
export const veraSchema: v.GenericSchema<Partial<VeraOptions>, VeraOptions> = v.strictObject(entries);

const sharedA = "base_model.vera_A";
const sharedB = "base_model.vera_B";

const reader = readPeft({
  name: "vera",
  type: "VERA",
  prefix: "base_model.model.",
  schema: veraSchema,
  names: Object.keys(entries),
});

/**
 * y = W x + b + λ_b ⊙ B (λ_d ⊙ A x), A and B random, frozen, and shared by all layers; each layer uses a part of them
 * (Kopiczko et al. 2024).
 *
 * @throws AttuneError on attaching where no module matches.
 * @example
 * ```ts
 * import { vera } from "attune/adapters/vera";
 * console.assert(vera({ r: 64 }).name === "vera");
 * ```
 */
export const vera: Factory<"adapter", Partial<VeraOptions>> = define({
  kind: "adapter",
  name: "vera",
  schema: veraSchema,
  create: (options) => loadable(reader, options, attach),
});

function attach(o: VeraOptions, backbone: InspectedBackbone, context: AttachContext, saved?: Weights): AttachedAdapter {
  const saves = savedModules(o.modulesToSave, context.modules);
  const wanted = o.targetModules ?? defaultTargets("vera", "targetModules", backbone, "vera", "attention");
  const found = matchModules("vera", wanted, selectAdaptable(backbone, wanted, saves.has));
  const targets = new Set(inLayers(found, o));
  const sizes = [...targets].map((path) => backbone.shapes[`${path}.weight`] ?? [0, 0]).map((dims, i) =>
    backbone.conv1ds.includes([...targets][i] ?? "") ? [dims[1] ?? 0, dims[0] ?? 0] : dims
  );
  const mostOut = Math.max(...sizes.map(([out = 0]) => out));
  const mostIn = Math.max(...sizes.map(([, inner = 0]) => inner));
  if (!(mostOut > 0 && mostIn > 0)) throw missing("vera", "layers of these numbers", "adapter.with.layersToTransform");
  const vectorName = (path: string, part: "b" | "d"): string => `${path}.vera_lambda_${part}`;
  // Kaiming-uniform with gain √2, as PEFT draws them.
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
    isTrainable: (name) => {
      if (saves.isTrainable(name)) return true;
      if (!name.endsWith(".bias") || o.bias === "none") return undefined;
      return o.bias === "all" || targets.has(name.slice(0, -".bias".length)) ? true : undefined;
    },
    weights: saved,
    merge: (name, value, read) => {
      const path = name.replace(/\.weight$/, "");
      return targets.has(path) && path !== name
        ? merged(value, read(sharedA), read(sharedB), read(vectorName(path, "d")), read(vectorName(path, "b")))
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
}

type Matrix = Tensor<Float32Array>;

function merged(weight: Matrix, a: Matrix, b: Matrix, d: Matrix, outer: Matrix): Matrix {
  const [rows = 0, columns = 0] = weight.dims;
  const [r = 0, wide = 0] = a.dims;
  const data = Float32Array.from(weight.data);
  const row = new Float64Array(columns);
  for (let i = 0; i < rows; i++) {
    row.fill(0);
    for (let k = 0; k < r; k++) {
      const factor = (b.data[i * r + k] ?? 0) * (d.data[k] ?? 0);
      for (let j = 0; j < columns; j++) row[j] = (row[j] ?? 0) + factor * (a.data[k * wide + j] ?? 0);
    }
    for (let j = 0; j < columns; j++) {
      data[i * columns + j] = (data[i * columns + j] ?? 0) + (outer.data[i] ?? 0) * (row[j] ?? 0);
    }
  }
  return { ...weight, data };
}

function filled(length: number, value: number): Initializer {
  return () => Promise.resolve(new Float32Array(length).fill(value));
}

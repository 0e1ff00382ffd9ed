/**
 * LoRA: low-rank adaptation of linear layers.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/define.ts";
import { badValue, missing, unknownName } from "../../core/errors.ts";
import { add, gemm } from "../../core/graph/functions.ts";
import { layerIndex, matches, matchModules, patternValue } from "../../core/modules.ts";
import type { Attached, Factory, Json, Named, Tensor, Trunk, Value, Weights } from "../../core/types.ts";
import { fromPeft, openPeft, peftConfig } from "./peft.ts";

/** Options of {@link lora}, PEFT's LoraConfig in camelCase. */
export interface LoraOptions {
  /** Rank of the update. */
  readonly r: number;
  /** Numerator of the scale α/r (α/√r with `useRslora`). */
  readonly loraAlpha: number;
  /** Dropout on the input of A. */
  readonly loraDropout: number;
  /** Modules by the end of their path, or a regular expression for all of it, or "all-linear"; null: the family's default. */
  readonly targetModules: string | readonly string[] | null;
  /** Modules left out of the targets. */
  readonly excludeModules: string | readonly string[] | null;
  /** Rank-stabilised scale (Kalajdzievski 2023). */
  readonly useRslora: boolean;
  /** Which biases of the model train: none, all, or those of the targets. */
  readonly bias: "none" | "all" | "lora_only";
  /** Modules that train whole; null: the task's own head. */
  readonly modulesToSave: readonly string[] | null;
  /** Only layers of these numbers. */
  readonly layersToTransform: number | readonly number[] | null;
  /** Name of the list of layers in paths. */
  readonly layersPattern: string | readonly string[] | null;
  /** Ranks of modules by pattern. */
  readonly rankPattern: Readonly<Record<string, number>>;
  /** Alphas of modules by pattern. */
  readonly alphaPattern: Readonly<Record<string, number>>;
  /** True: A Kaiming-uniform, B zero; "gaussian": A normal of standard deviation 1/r, B zero; false: both random. */
  readonly initLoraWeights: boolean | "gaussian";
  /** Directory of an adapter saved by PEFT to continue; its config replaces the options above. */
  readonly from: string | null;
}

type Input = Partial<LoraOptions>;
const names = v.union([v.string(), v.pipe(v.array(v.string()), v.minLength(1))]);
const counts = v.record(v.string(), v.pipe(v.number(), v.integer(), v.minValue(1)));

/** Schema of {@link LoraOptions}. */
export const loraSchema: v.GenericSchema<Input, LoraOptions> = v.strictObject({
  r: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65536)), 8),
  loraAlpha: v.optional(v.pipe(v.number(), v.finite()), 8),
  loraDropout: v.optional(v.pipe(v.number(), v.minValue(0), v.ltValue(1)), 0),
  targetModules: v.optional(v.nullable(names), null),
  excludeModules: v.optional(v.nullable(names), null),
  useRslora: v.optional(v.boolean(), false),
  bias: v.optional(v.picklist(["none", "all", "lora_only"]), "none"),
  modulesToSave: v.optional(v.nullable(v.array(v.string())), null),
  layersToTransform: v.optional(v.nullable(v.union([v.number(), v.array(v.number())])), null),
  layersPattern: v.optional(v.nullable(names), null),
  rankPattern: v.optional(counts, {}),
  alphaPattern: v.optional(v.record(v.string(), v.number()), {}),
  initLoraWeights: v.optional(v.union([v.boolean(), v.literal("gaussian")]), true),
  from: v.optional(v.nullable(v.string()), null),
});

/** The modules that PEFT adapts by default, by what a family calls them. */
const defaultTargets: readonly (readonly string[])[] = [["query", "value"], ["q_lin", "v_lin"], ["q_proj", "v_proj"], [
  "c_attn",
]];

/** Fields of adapter_config.json that change the mathematics and are not built here; any other value is refused. */
const refusedFields: Readonly<Record<string, readonly (Json | undefined)[]>> = {
  use_dora: [false],
  use_qalora: [false],
  lora_bias: [false],
  fan_in_fan_out: [false],
  layer_replication: [],
  trainable_token_indices: [],
  target_parameters: [],
  alora_invocation_tokens: [],
  arrow_config: [],
  use_bdlora: [],
};

/**
 * y = W x + b + (α/r) · B A dropout(x) with W frozen (Hu et al. 2022).
 *
 * @throws AttuneError on attaching where no module matches; the message lists those there are.
 * @example
 * ```ts
 * import { lora } from "attune/adapters/lora";
 * console.assert(lora({ r: 4, targetModules: ["query"] }).name === "lora");
 * ```
 */
export const lora: Factory<"adapter", Input> = define({
  kind: "adapter",
  name: "lora",
  schema: loraSchema,
  create: (options) => ({
    ...(options.from === null ? {} : {
      open: async (host) => {
        const saved = await openPeft("lora", options.from ?? "", "LORA", host);
        const read = readSaved(saved.config);
        return {
          kind: "adapter",
          name: "lora",
          options,
          attach: (trunk, head) => attach(read, trunk, head, saved.weights),
        };
      },
    }),
    attach: (trunk, head) => {
      if (options.from !== null) throw missing("lora", "the saved adapter (open it first)", options.from);
      return attach(options, trunk, head);
    },
  }),
});

/** The options that an adapter_config.json stands for. */
function readSaved(config: Named<Json>): LoraOptions {
  for (const [field, allowed] of Object.entries(refusedFields)) {
    const value = config[field];
    if (value === undefined || value === null || allowed.includes(value)) continue;
    throw badValue("lora", `adapter_config.json: ${field}`, value, `one of ${JSON.stringify([null, ...allowed])}`);
  }
  const fields = fromPeft(config, Object.keys(loraSchemaEntries));
  const parsed = v.safeParse(loraSchema, fields);
  if (parsed.success) return parsed.output;
  const issue = parsed.issues[0];
  throw badValue("lora", `adapter_config.json: ${v.getDotPath(issue) ?? ""}`, issue.input, issue.message);
}

const loraSchemaEntries: Readonly<Record<keyof LoraOptions, true>> = {
  r: true,
  loraAlpha: true,
  loraDropout: true,
  targetModules: true,
  excludeModules: true,
  useRslora: true,
  bias: true,
  modulesToSave: true,
  layersToTransform: true,
  layersPattern: true,
  rankPattern: true,
  alphaPattern: true,
  initLoraWeights: true,
  from: true,
};

function attach(
  o: LoraOptions,
  trunk: Trunk,
  head: Readonly<{ modules: readonly string[]; task: string }>,
  saved?: Weights,
): Attached {
  const saves = [...new Set([...(o.modulesToSave ?? []), ...head.modules])];
  // PEFT takes a module to save by the end of its name, without a dot: "classifier" also means "pre_classifier".
  const savedModule = (path: string): boolean =>
    path.split(".").some((part) => saves.some((name) => part.endsWith(name)));
  const inTrunk = trunk.linears.filter((path) => !savedModule(path));
  const wanted = o.targetModules ?? defaultTargets.find((t) => inTrunk.some((path) => matches(path, t)));
  if (!wanted) throw unknownName("lora", "adapter.with.targetModules", "family default", "null", inTrunk);
  const layers = o.layersToTransform === null ? undefined : [o.layersToTransform].flat();
  const targets = new Set(
    [...matchModules("lora", wanted, inTrunk, o.excludeModules)].filter((path) => {
      const layer = layerIndex(path, o.layersPattern);
      return !layers || (layer !== undefined && layers.includes(layer));
    }),
  );
  if (targets.size === 0) {
    throw badValue(
      "lora",
      "adapter.with.layersToTransform",
      o.layersToTransform,
      "numbers of layers that have the targets",
    );
  }
  const rankOf = (path: string): number => patternValue(path, o.rankPattern, o.r);
  const scaleOf = (path: string): number => {
    const r = rankOf(path);
    return patternValue(path, o.alphaPattern, o.loraAlpha) / (o.useRslora ? Math.sqrt(r) : r);
  };
  const own = (path: string, part: "A" | "B"): string => `${path}.lora_${part}.weight`;
  return {
    linear: (b, call, next) => {
      const y = next(call);
      if (!targets.has(call.path)) return y;
      const r = rankOf(call.path);
      const initA = o.initLoraWeights === "gaussian" ? { normal: 1 / r } : { uniform: 1 / Math.sqrt(call.inFeatures) };
      const initB = o.initLoraWeights === false ? { uniform: 1 / Math.sqrt(r) } : "zeros" as const;
      const a = b.parameter(own(call.path, "A"), [r, call.inFeatures], initA);
      const bb = b.parameter(own(call.path, "B"), [call.outFeatures, r], initB);
      const inner: Value = gemm(b.dropout(call.x, o.loraDropout), a, undefined, { transB: true }); // [tokens, r]
      return add(y, gemm(inner, bb, undefined, { alpha: scaleOf(call.path), transB: true }));
    },
    trains: (name) => {
      if (savedModule(name.replace(/\.[^.]+$/, ""))) return true;
      if (!name.endsWith(".bias") || o.bias === "none") return undefined;
      return o.bias === "all" || targets.has(name.slice(0, -".bias".length)) ? true : undefined;
    },
    weights: saved,
    merge: (path, weight, read) => {
      if (!targets.has(path)) return weight;
      return merged(weight, read(own(path, "A")), read(own(path, "B")), scaleOf(path));
    },
    peft: {
      config: peftConfig("LORA", {
        ...Object.fromEntries(Object.entries(o).filter(([key]) => key !== "from")) as Named<Json>,
        targetModules: typeof wanted === "string" ? wanted : [...wanted],
        modulesToSave: saves.length > 0 ? saves : null,
        layersToTransform: layers ?? null,
        useDora: false,
        loraBias: false,
        fanInFanOut: false,
      }, head.task),
      key: (name) => (`base_model.model.${name}`),
    },
  };
}

/** W + scale · B A, in float64 sums. */
function merged(
  weight: Tensor<Float32Array>,
  a: Tensor<Float32Array>,
  b: Tensor<Float32Array>,
  scale: number,
): Tensor<Float32Array> {
  const [outFeatures = 0, inFeatures = 0] = weight.dims;
  const r = a.dims[0] ?? 0;
  const data = Float32Array.from(weight.data);
  const row = new Float64Array(inFeatures);
  for (let i = 0; i < outFeatures; i++) {
    row.fill(0);
    for (let k = 0; k < r; k++) {
      const factor = b.data[i * r + k] ?? 0;
      for (let j = 0; j < inFeatures; j++) row[j] = (row[j] ?? 0) + factor * (a.data[k * inFeatures + j] ?? 0);
    }
    for (let j = 0; j < inFeatures; j++) {
      data[i * inFeatures + j] = (data[i * inFeatures + j] ?? 0) + scale * (row[j] ?? 0);
    }
  }
  return { dtype: "float32", dims: weight.dims, data };
}

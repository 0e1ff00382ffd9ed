/**
 * LoRA and DoRA on an opened model: which modules, their parameters, the update, and the way to PEFT's files.
 * @module
 */
import { badValue, missing } from "../../core/base/errors.ts";
import {
  add,
  apply,
  cast,
  detach,
  div,
  equal,
  gather,
  gemm,
  maximum,
  mul,
  reshape,
  sqrt,
  square,
  sub,
  sum,
  transpose,
  where,
} from "../../core/graph/ops/functions.ts";
import { transposed } from "../../core/math/transposed.ts";
import { loraScale } from "../../formats/peft/lora_scale.ts";
import { matches, matchModules, patternValue } from "../../core/patterns/module_patterns.ts";
import type {
  AttachContext,
  AttachedAdapter,
  GraphBuilder,
  HookPoints,
  InspectedBackbone,
  Named,
  Tensor,
  Value,
  Weights,
} from "../../core/types.ts";
import { firstFactors } from "./lora_init.ts";
import type { LoraOptions } from "./lora_options.ts";
import { defaultTargets, inLayers, selectAdaptable } from "./targets.ts";
import { withoutPooling } from "../../formats/quantization/pooled_inputs.ts";
import { groupsOfInputs, pooled } from "./pooled_inputs.ts";
import { type Tied, withTying } from "./tied.ts";
import { peftRecord } from "../../formats/peft/record.ts";
import { savedModules } from "../../formats/peft/modules_to_save.ts";
import { wrappedKey } from "../../formats/peft/wrapped_key.ts";

/** What the parts of an attached LoRA share. */
type LoraPlan = Readonly<{
  plugin: string;
  options: LoraOptions;
  backbone: InspectedBackbone;
  targets: ReadonlySet<string>;
  /** Rows of tables that train by themselves, by the path of the module that uses them. */
  tokens: TokenRows;
  /** Whether a module's update is the table's. */
  shares(path: string): boolean;
  /** The module whose update a module has. */
  updateOf(path: string): string;
  rankOf(path: string): number;
  scaleOf(path: string): number;
  /** Inputs that A reads as one; undefined: it reads each. */
  pool: number | undefined;
  init: ReturnType<typeof firstFactors>;
  /** PiSSA and OLoRA start from a weight less their first product; that product stands apart, frozen. */
  parted: boolean;
}>;

/** Attaches LoRA. Throws AttuneError where no module matches; the message lists those there are. */
export function attachLora(
  plugin: string,
  given: LoraOptions,
  backbone: InspectedBackbone,
  context: AttachContext,
  saved?: Weights,
): AttachedAdapter {
  const { options: o, tied } = withTying(given, backbone);
  const saves = savedModules(o.modulesToSave, context.modules);
  const { wanted, targets } = targetsOf(plugin, o, backbone, saves.has, tied);
  // Modules that share an update have the table's.
  const shares = (path: string): boolean => tied?.part === "update" && tied.modules.includes(path);
  const updateOf = (path: string): string => (shares(path) ? tied?.source ?? path : path);
  const { useDora, loraBias, initLoraWeights } = o;
  if (useDora && (loraBias || initLoraWeights === false)) {
    throw badValue(plugin, "adapter.with.useDora", true, "no loraBias, and initLoraWeights other than false");
  }
  const rankOf = (path: string): number => patternValue(updateOf(path), o.rankPattern, o.r);
  const scaleOf = (path: string): number => {
    const r = rankOf(path);
    return loraScale(patternValue(updateOf(path), o.alphaPattern, o.loraAlpha), r, o.useRslora);
  };
  if (o.useQalora) checkPooled(plugin, o, [...targets], backbone);
  const pool = poolOf(plugin, o, [...targets], context);
  if (o.loftqConfig !== null && initLoraWeights !== "loftq") {
    throw badValue(plugin, "adapter.with.loftqConfig", o.loftqConfig, 'null, or initLoraWeights "loftq"');
  }
  if (o.useDora && initLoraWeights === "loftq") {
    throw badValue(plugin, "adapter.with.initLoraWeights", initLoraWeights, "true or gaussian with useDora");
  }
  const tokens = tokenRows(plugin, o, backbone);
  const wrapped = wrappedKey((path) => targets.has(path));
  const init = firstFactors(plugin, initLoraWeights, rankOf, scaleOf);
  const parted = initLoraWeights === "pissa" || initLoraWeights === "olora";
  const plan: LoraPlan = {
    plugin,
    options: o,
    backbone,
    targets,
    tokens,
    shares,
    updateOf,
    rankOf,
    scaleOf,
    pool,
    init,
    parted,
  };

  const derived = async (read: (name: string) => Promise<Matrix>): Promise<Named<Tensor>> => ({
    ...(parted ? await withFirstProducts(targets, backbone, read) : {}),
    ...(tied ? await underAllNames(tied, read) : {}),
  });

  return {
    linear: (b, call, next) => adaptLinear(plan, b, call, next),
    ...(tokens.size > 0 || backbone.embeddings.some((path) => targets.has(path))
      ? { embedding: (b, call, next) => adaptEmbedding(plan, b, call, next) }
      : {}),
    isTrainable: (name) => {
      if (saves.isTrainable(name)) return true;
      if (!name.endsWith(".bias") || o.bias === "none") return undefined;
      return o.bias === "all" || targets.has(name.slice(0, -".bias".length)) ? true : undefined;
    },
    sharesUpdate: shares,
    copies: (module) => tied?.part !== "whole" && saves.copies(module),
    weights: saved,
    roleOf: (name) => {
      const [, module, part] = /^(.*)\.(lora_[AB]|token_adapter\.trainable_tokens_delta)\b/.exec(name) ?? [];
      if (module === undefined) return undefined;
      return { module, role: part === "lora_A" || part === "lora_B" ? "factor" : "rows" };
    },
    merge: (name, value, read) => mergeLayer(plan, name, value, read),
    record: peftRecord(
      "LORA",
      () => ({
        ...o,
        ...(parted ? asPlainLora(o) : {}),
        // PEFT would quantize again what it loads.
        ...(initLoraWeights === "loftq" ? { initLoraWeights: true } : {}),
        loftqConfig: undefined,
        // Older versions of PEFT do not know the fields.
        ensureWeightTying: o.ensureWeightTying ? true : undefined,
        useQalora: o.useQalora ? true : undefined,
        qaloraGroupSize: pool,
        targetModules: wanted,
        modulesToSave: saves.names,
        layersToTransform: o.layersToTransform === null ? null : [o.layersToTransform].flat(),
        fanInFanOut: [...targets].some((path) => backbone.conv1ds.includes(path)),
      }),
      context,
      {
        key: (
          name,
        ) => (/\.lora_(A|B)\.first$/.test(name) || (parted && /\.lora_(A|B)\.weight$/.test(name))
          ? undefined
          : wrapped(name)),
        ...(parted || tied ? { derived } : {}),
      },
    ),
  };
}

/** PEFT's own group of inputs. */
const POOL = 16;

/** Inputs that A reads as one: a file has one number for all modules, so blocks of the base have to be alike. */
function poolOf(
  plugin: string,
  o: LoraOptions,
  targets: readonly string[],
  { blockSizeOf }: AttachContext,
): number | undefined {
  if (!o.useQalora || o.qaloraGroupSize !== null) return o.useQalora ? o.qaloraGroupSize ?? POOL : undefined;
  const sizes = [...new Set(targets.flatMap((path) => blockSizeOf?.(path) ?? []))];
  if (sizes.length <= 1) return sizes[0] ?? POOL;
  throw badValue(
    plugin,
    "adapter.with.qaloraGroupSize",
    null,
    `a number: the base has blocks of ${sizes.join(" and ")}`,
  );
}

function checkPooled(plugin: string, o: LoraOptions, targets: readonly string[], backbone: InspectedBackbone): void {
  const refuse = (field: string, found: unknown, allowed: string): Error =>
    badValue(plugin, `adapter.with.${field}`, found, `${allowed} with useQalora`);
  if (o.useDora) throw refuse("useDora", true, "false");
  if (o.loraBias) throw refuse("loraBias", true, "false");
  if (typeof o.initLoraWeights !== "boolean") throw refuse("initLoraWeights", o.initLoraWeights, "true or false");
  const table = targets.find((path) => backbone.embeddings.includes(path));
  if (table !== undefined) throw refuse("targetModules", table, "linear layers alone");
  if (o.ensureWeightTying) throw refuse("ensureWeightTying", true, "false");
}

/** x Wᵀ with the update of a layer, and with the rows of its table that train by themselves. */
function adaptLinear(
  plan: LoraPlan,
  b: GraphBuilder,
  call: HookPoints["linear"],
  next: (call: HookPoints["linear"]) => Value,
): Value {
  const { plugin, options, targets, tokens, shares, updateOf, rankOf, scaleOf, pool, init, parted } = plan;
  const { useDora, loraBias, loraDropout, initLoraWeights } = options;
  const { path, x, inFeatures, outFeatures } = call;
  // A layer whose weight is the table's (a language model's output) uses the same rows.
  const rows = tokens.get(tableOf(call.weight));
  if (rows) call = { ...call, weight: replacedRows(b, rows.path, rows.ids, call.weight) };
  if (!targets.has(path)) return next(call);
  const y = next(useDora ? { ...call, bias: undefined } : call);
  const r = rankOf(path);
  const scale = scaleOf(path);
  const read = pool === undefined ? inFeatures : groupsOfInputs(plugin, path, inFeatures, pool);
  const shapeA = [r, read];
  const shapeB = [outFeatures, r];
  const [a, bb] = shares(path)
    ? tableFactors(b, updateOf(path), r, outFeatures, inFeatures, initLoraWeights).map((x) => transpose(x))
      .reverse() as [Value, Value]
    : [
      b.parameter(factor(path, "A"), shapeA, init.a(path, read, outFeatures)),
      b.parameter(factor(path, "B"), shapeB, init.b(path, inFeatures, outFeatures)),
    ];
  const dropped = b.dropout(x, loraDropout);
  const through = (x: Value, a: Value, bb: Value, alpha: number, bias?: Value): Value =>
    gemm(gemm(x, a, undefined, { transB: true }), bb, bias && mul(bias, alpha), { alpha, transB: true });
  const bias = loraBias ? b.parameter(`${path}.lora_B.bias`, [outFeatures], "zeros") : undefined;
  const update = through(pool === undefined ? dropped : pooled(dropped, inFeatures, pool), a, bb, scale, bias);
  // x (W - s B₀A₀)ᵀ, with what is left of W where a first product stands apart
  const rest = (x: Value, y: Value): Value => {
    if (!parted) return y;
    const a0 = b.parameter(first(path, "A"), shapeA, init.a(path, inFeatures, outFeatures), { frozen: true });
    const b0 = b.parameter(first(path, "B"), shapeB, init.b(path, inFeatures, outFeatures), { frozen: true });
    return add(y, through(x, a0, b0, -scale));
  };
  if (!useDora) return add(rest(x, y), update);
  if (parted) {
    throw badValue(plugin, "adapter.with.initLoraWeights", initLoraWeights, "true or gaussian with useDora");
  }
  return withMagnitude(plan, b, call, { a, b: bb, y, update, dropped });
}

/** DoRA: the adapted weight at length one by row, times a magnitude that trains. */
function withMagnitude(
  { backbone, scaleOf }: LoraPlan,
  b: GraphBuilder,
  call: HookPoints["linear"],
  factors: Readonly<{ a: Value; b: Value; y: Value; update: Value; dropped: Value }>,
): Value {
  const { path, x, outFeatures } = call;
  const { y, update, dropped } = factors;
  const magnitude = b.parameter(magnitudeOf(path), [outFeatures], async (weights) => {
    const { data, dims } = await weights.read(`${path}.weight`);
    return rowNorms(
      data,
      backbone.conv1ds.includes(path) ? [dims[1] ?? 1, dims[0] ?? 1] : dims,
      backbone.conv1ds.includes(path),
    );
  });
  // ‖W + s B A‖ by row is a constant to the gradient, as the paper has it.
  const whole = gemm(factors.b, factors.a, call.weight, { alpha: scaleOf(path) });
  const share = div(magnitude, detach(sqrt(sum(square(whole), -1)))); // [out]
  // With dropout on, the base term is x W but its change by the magnitude is of the dropped x, as in PEFT.
  const change = dropped === x
    ? mul(y, share)
    : add(y, mul(gemm(dropped, call.weight, undefined, { transB: true }), sub(share, 1)));
  const result = add(change, mul(update, share));
  return call.bias ? add(result, call.bias) : result;
}

/** A table's rows with their update, and those that train by themselves in their places. */
function adaptEmbedding(
  plan: LoraPlan,
  b: GraphBuilder,
  call: HookPoints["embedding"],
  next: (call: HookPoints["embedding"]) => Value,
): Value {
  const { plugin, options: { useDora, initLoraWeights }, targets, tokens, updateOf, rankOf, scaleOf } = plan;
  const { path, ids, embeddingDim, scale } = call;
  const rows = tokens.get(path) ?? tokens.get(tableOf(call.weight));
  let y = next(call);
  if (rows) y = replaced(b, rows.path, rows.ids, call, y);
  if (!targets.has(path)) return y;
  if (useDora) throw badValue(plugin, "adapter.with.targetModules", path, "no embeddings with useDora");
  const r = rankOf(path);
  const count = call.weight.shape[0];
  if (typeof count !== "number") throw missing(plugin, "a table of fixed size", path);
  const [a, bb] = tableFactors(b, updateOf(path), r, count, embeddingDim, initLoraWeights);
  const inner = reshape(gather(transpose(a), ids), [y.shape[0] ?? 1, r]);
  return add(y, gemm(inner, bb, undefined, { alpha: scale * scaleOf(path), transB: true }));
}

/** A parameter with what was trained for it folded in. */
function mergeLayer(plan: LoraPlan, name: string, value: Matrix, read: (name: string) => Matrix): Matrix {
  const {
    plugin,
    options: { loraBias, useDora },
    backbone,
    targets,
    tokens,
    shares,
    updateOf,
    scaleOf,
    pool,
    parted,
  } = plan;
  const dot = name.lastIndexOf(".");
  const [path, part] = [name.slice(0, dot), name.slice(dot + 1)];
  const rows = tokens.get(path) ?? tokens.get((backbone.ties[name] ?? "").replace(/\.weight$/, ""));
  if (rows && part === "weight") value = withRows(value, rows.ids, read(deltaOf(rows.path)));
  if (!targets.has(path)) return value;
  const scale = scaleOf(path);
  if (part === "bias") return loraBias ? sumOf(value, read(`${path}.lora_B.bias`), scale) : value;
  if (loraBias && !backbone.parameters.includes(`${path}.bias`)) {
    throw badValue(plugin, path, "loraBias", "a layer with a bias, to merge it into");
  }
  if (backbone.embeddings.includes(path) || shares(path)) {
    return plusProduct(
      value,
      read(tableFactor(updateOf(path), "A")),
      read(tableFactor(updateOf(path), "B")),
      scale,
      true,
    );
  }
  const a = pool === undefined ? read(factor(path, "A")) : withoutPooling(read(factor(path, "A")), pool);
  let result = plusProduct(value, a, read(factor(path, "B")), scale, false);
  if (parted) result = plusProduct(result, read(first(path, "A")), read(first(path, "B")), -scale, false);
  return useDora ? rescaled(result, read(magnitudeOf(path))) : result;
}

/** A [r, count] and B [dim, r] of a table's update. */
function tableFactors(
  b: GraphBuilder,
  path: string,
  r: number,
  count: number,
  dim: number,
  how: LoraOptions["initLoraWeights"],
): [a: Value, b: Value] {
  return [
    b.parameter(tableFactor(path, "A"), [r, count], how === false ? { normal: 1 } : "zeros"),
    b.parameter(tableFactor(path, "B"), [dim, r], { normal: 1 }),
  ];
}

/** The first product, subtracted, is a further r ranks: what PEFT itself converts such adapters to. */
async function withFirstProducts(
  targets: ReadonlySet<string>,
  backbone: InspectedBackbone,
  read: (name: string) => Promise<Matrix>,
): Promise<Named<Tensor>> {
  const tensors: Record<string, Tensor> = {};
  for (const path of targets) {
    if (backbone.embeddings.includes(path)) continue;
    const [a, a0] = [await read(factor(path, "A")), await read(first(path, "A"))];
    const [bb, b0] = [await read(factor(path, "B")), await read(first(path, "B"))];
    tensors[`base_model.model.${factor(path, "A")}`] = stackedRows(a, a0);
    tensors[`base_model.model.${factor(path, "B")}`] = besideNegated(bb, b0);
  }
  return tensors;
}

/** What modules share stands in the file under the name of each. */
async function underAllNames(
  { source, modules, part }: Tied,
  read: (name: string) => Promise<Matrix>,
): Promise<Named<Tensor>> {
  const tensors: Record<string, Tensor> = {};
  for (const path of modules) {
    if (part === "whole") tensors[`base_model.model.${path}.weight`] = await read(`${source}.weight`);
    else {
      tensors[`base_model.model.${factor(path, "A")}`] = turned(await read(tableFactor(source, "B")));
      tensors[`base_model.model.${factor(path, "B")}`] = turned(await read(tableFactor(source, "A")));
    }
  }
  return tensors;
}

function turned({ dtype, dims: [rows = 1, columns = 1], data }: Matrix): Matrix {
  return { dtype, dims: [columns, rows], data: transposed(data, rows, columns) };
}

const tableFactor = (path: string, part: "A" | "B"): string => `${path}.lora_embedding_${part}`;
const factor = (path: string, part: "A" | "B"): string => `${path}.lora_${part}.weight`;
const first = (path: string, part: "A" | "B"): string => `${path}.lora_${part}.first`;
const magnitudeOf = (path: string): string => `${path}.lora_magnitude_vector`;
const deltaOf = (path: string): string => `${path}.token_adapter.trainable_tokens_delta`;

function targetsOf(
  plugin: string,
  o: LoraOptions,
  backbone: InspectedBackbone,
  saved: (path: string) => boolean,
  tied: Tied | undefined,
): Readonly<{ wanted: string | readonly string[]; targets: ReadonlySet<string> }> {
  const wanted = o.targetModules ?? defaultTargets(plugin, "targetModules", backbone, "attention");
  const linears = selectAdaptable(backbone, wanted, saved);
  const embeddings = backbone.embeddings.filter((path) =>
    wanted !== "all-linear" && !saved(path) && matches(path, wanted)
  );
  const targets = inLayers(matchModules(plugin, wanted, [...linears, ...embeddings], o.excludeModules), o);
  if (targets.length === 0) {
    const allowed = "numbers of layers that have the targets";
    throw badValue(plugin, "adapter.with.layersToTransform", o.layersToTransform, allowed);
  }
  const shared = tied?.part === "update" ? tied.modules : [];
  return { wanted, targets: new Set([...targets, ...shared]) };
}

/** The path of the module whose table a weight is. */
function tableOf(weight: Value): string {
  const origin = weight.graph.origin(weight);
  return origin?.kind === "parameter" ? origin.name.replace(/\.weight$/, "") : "";
}

/** By the path of a module the rows of its table that train by themselves. `path`: of the table they are rows of. */
type TokenRows = ReadonlyMap<string, Readonly<{ path: string; ids: readonly number[] }>>;

function tokenRows(
  plugin: string,
  { trainableTokenIndices }: LoraOptions,
  backbone: InspectedBackbone,
): TokenRows {
  const rows = new Map<string, Readonly<{ path: string; ids: readonly number[] }>>();
  if (trainableTokenIndices === null) return rows;
  const named = Array.isArray(trainableTokenIndices)
    ? { [backbone.wordEmbeddings]: trainableTokenIndices as readonly number[] }
    : trainableTokenIndices as Named<readonly number[]>;
  for (const [module, ids] of Object.entries(named)) {
    const paths = [...backbone.embeddings, backbone.wordEmbeddings];
    const path = paths.find((path) => matches(path, [module]));
    if (path === undefined) {
      throw badValue(plugin, "adapter.with.trainableTokenIndices", module, `one of ${paths.join(", ")}`);
    }
    const wrong = ids.find((id) => path === backbone.wordEmbeddings && id >= backbone.vocabSize);
    if (wrong !== undefined) {
      throw badValue(plugin, "adapter.with.trainableTokenIndices", wrong, `ids below ${backbone.vocabSize}`);
    }
    rows.set(path, { path, ids });
  }
  return rows;
}

/** The trained rows [n, dim], first those of the table. */
function deltaRows(b: GraphBuilder, path: string, ids: readonly number[], dim: number): Value {
  return b.parameter(deltaOf(path), [ids.length, dim], async (weights) => {
    const { data } = await weights.read(`${path}.weight`);
    const rows = new Float32Array(ids.length * dim);
    ids.forEach((id, i) => rows.set(data.subarray(id * dim, (id + 1) * dim), i * dim));
    return rows;
  });
}

/** Looked-up rows [tokens, dim], with the trained ones in their places. */
function replaced(
  b: GraphBuilder,
  path: string,
  ids: readonly number[],
  call: HookPoints["embedding"],
  y: Value,
): Value {
  const { graph } = b;
  const delta = deltaRows(b, path, ids, call.embeddingDim);
  const numbers = new Int32Array(Number(call.weight.shape[0]));
  ids.forEach((id, i) => (numbers[id] = i + 1));
  const table = graph.constant({ dtype: "int32", dims: [numbers.length], data: numbers });
  const [places = 1] = y.shape;
  const number = reshape(gather(table, call.ids), [places]);
  const rows = gather(delta, maximum(sub(number, 1), 0));
  return where(equal(reshape(number, [places, 1]), 0), y, call.scale === 1 ? rows : mul(rows, call.scale));
}

/** A table [n, dim] with the trained rows in their places. */
function replacedRows(b: GraphBuilder, path: string, ids: readonly number[], weight: Value): Value {
  const delta = deltaRows(b, path, ids, Number(weight.shape[1]));
  const index = b.graph.constant({ dtype: "int64", dims: [ids.length, 1], data: BigInt64Array.from(ids, BigInt) });
  const old = gather(weight, cast(reshape(index, [ids.length]), "int32"));
  return apply("ScatterND", [weight, index, sub(delta, old)], {});
}

/** Options of the same update with its first product as further ranks. */
function asPlainLora(o: LoraOptions): Partial<LoraOptions> {
  const factor = o.useRslora ? Math.SQRT2 : 2;
  const times = (map: Readonly<Record<string, number>>, by: number): Record<string, number> =>
    Object.fromEntries(Object.entries(map).map(([key, value]) => [key, value * by]));
  return {
    r: 2 * o.r,
    loraAlpha: factor * o.loraAlpha,
    rankPattern: times(o.rankPattern, 2),
    alphaPattern: times(o.alphaPattern, factor),
    initLoraWeights: true,
  };
}

type Matrix = Tensor<Float32Array>;

function withRows(table: Matrix, ids: readonly number[], rows: Matrix): Matrix {
  const data = Float32Array.from(table.data);
  const width = table.dims[1] ?? 1;
  ids.forEach((id, i) => data.set(rows.data.subarray(i * width, (i + 1) * width), id * width));
  return { ...table, data };
}

function sumOf(x: Matrix, y: Matrix, scale: number): Matrix {
  return { ...x, data: x.data.map((value, i) => value + scale * (y.data[i] ?? 0)) };
}

/** W + scale · B A in float64 sums; for a table of embeddings W + scale · (B A)ᵀ. */
function plusProduct(weight: Matrix, a: Matrix, b: Matrix, scale: number, table: boolean): Matrix {
  const [rows = 0, columns = 0] = weight.dims;
  const r = a.dims[0] ?? 0;
  const data = Float32Array.from(weight.data);
  const row = new Float64Array(columns);
  const [inA, inB] = [a.dims[1] ?? 0, b.dims[1] ?? 0];
  for (let i = 0; i < rows; i++) {
    row.fill(0);
    for (let k = 0; k < r; k++) {
      const factor = (table ? a.data[k * inA + i] : b.data[i * inB + k]) ?? 0;
      for (let j = 0; j < columns; j++) {
        row[j] = (row[j] ?? 0) + factor * ((table ? b.data[j * inB + k] : a.data[k * inA + j]) ?? 0);
      }
    }
    for (let j = 0; j < columns; j++) data[i * columns + j] = (data[i * columns + j] ?? 0) + scale * (row[j] ?? 0);
  }
  return { dtype: "float32", dims: weight.dims, data };
}

function rowNorms(data: Float32Array, [rows = 1, columns = 1]: readonly number[], transposed = false): Float32Array {
  return Float32Array.from({ length: rows }, (_, i) => {
    let total = 0;
    for (let j = 0; j < columns; j++) total += (data[transposed ? j * rows + i : i * columns + j] ?? 0) ** 2;
    return Math.sqrt(total);
  });
}

function rescaled(weight: Matrix, magnitude: Matrix): Matrix {
  const norms = rowNorms(weight.data, weight.dims);
  const columns = weight.dims[1] ?? 1;
  const data = weight.data.map((value, i) => {
    const row = Math.floor(i / columns);
    return (value * (magnitude.data[row] ?? 0)) / (norms[row] ?? 1);
  });
  return { ...weight, data };
}

function stackedRows(a: Matrix, b: Matrix): Matrix {
  const data = new Float32Array(a.data.length + b.data.length);
  data.set(a.data);
  data.set(b.data, a.data.length);
  return { dtype: "float32", dims: [(a.dims[0] ?? 0) + (b.dims[0] ?? 0), a.dims[1] ?? 0], data };
}

function besideNegated(a: Matrix, b: Matrix): Matrix {
  const [rows = 0, r = 0] = a.dims;
  const data = new Float32Array(2 * rows * r);
  for (let i = 0; i < rows; i++) {
    for (let k = 0; k < r; k++) {
      data[2 * i * r + k] = a.data[i * r + k] ?? 0;
      data[(2 * i + 1) * r + k] = -(b.data[i * r + k] ?? 0);
    }
  }
  return { dtype: "float32", dims: [rows, 2 * r], data };
}

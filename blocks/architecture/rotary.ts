/**
 * Rotary position embeddings (Su et al. 2021) and the scalings of longer contexts that Hugging Face defines: linear,
 * dynamic, yarn, longrope, llama3.
 */
import { isObject } from "../../core/base/json.ts";
import { badValue, missing, unsupported } from "../../core/base/errors.ts";
import {
  add,
  cast,
  concat,
  cos,
  exp,
  greater,
  log,
  max,
  maximum,
  mul,
  neg,
  reshape,
  sin,
  slice,
  sub,
  where,
} from "../../core/graph/ops/functions.ts";
import type { GraphBuilder, Json, Named, Value } from "../../core/types.ts";

/**
 * Frequencies (angles per position). `scale`: factor of cosine and sine. `long`: frequencies for batches with a
 * position from `beyond` on. `grows`: frequencies that shrink with a batch's longest sequence from `beyond` on.
 */
export type Rotary = Readonly<{
  frequencies: Float32Array;
  scale: number;
  long?: Readonly<{ frequencies: Float32Array; beyond: number }>;
  grows?: Readonly<{ factor: number; beyond: number }>;
}>;

/** Cosines and sines of a batch's positions, [batch, seq, 1, rotated]. */
export type Rotation = Readonly<{ cos: Value; sin: Value; size: number }>;

/** What rotary embeddings depend on besides the config. `layerType`: set if parameters are per type of layer. */
export type RotaryOptions = Readonly<{
  plugin: string;
  headDim: number;
  maxPositions: number;
  defaultTheta?: number;
  partial?: number;
  layerType?: string;
  /** Names of the fields in older configs, if not `rope_theta` and `rope_scaling`. */
  theta?: string;
  scaling?: string | null;
}>;

const refused: Readonly<Record<string, string>> = {
  mrope: "multidimensional positions are for images",
  proportional: "no supported family uses it",
};

/**
 * Reads `rope_parameters` (or `rope_theta` and `rope_scaling` of older configs).
 *
 * @throws AttuneError if a scaling is unknown or lacks one of its numbers.
 */
export function readRotary(config: Named<Json>, o: RotaryOptions): Rotary {
  const { field, parameters } = parametersOf(config, o);
  const number = (name: string, fallback?: number): number => {
    const value = parameters[name] ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value)) {
      throw badValue(o.plugin, `${field}.${name}`, value, "a number");
    }
    return value;
  };
  const list = (name: string, size: number): number[] => {
    const value = parameters[name];
    if (Array.isArray(value) && value.length === size && value.every((x) => typeof x === "number")) return value;
    throw badValue(o.plugin, `${field}.${name}`, value, `${size} numbers`);
  };
  const base = number("rope_theta", o.defaultTheta ?? 10000);
  const size = Math.trunc(o.headDim * number("partial_rotary_factor", o.partial ?? 1));
  if (size < 2 || size % 2 !== 0) {
    throw badValue(
      o.plugin,
      `${field}.partial_rotary_factor`,
      parameters.partial_rotary_factor,
      "a factor that gives an even number of dimensions",
    );
  }
  const half = size / 2;
  // Torch computes powers and quotients in float32.
  const round = Math.fround;
  const powers = (theta: number): Float32Array =>
    Float32Array.from({ length: half }, (_, i) => theta ** round((2 * i) / size));
  const inverse = (theta: number): Float32Array => powers(theta).map((p) => 1 / p);
  const original = (): number => number("original_max_position_embeddings");
  const type = parameters.rope_type ?? parameters.type ?? "default";
  switch (type) {
    case "default":
      return { frequencies: inverse(base), scale: 1 };
    case "linear": {
      const factor = number("factor");
      return { frequencies: inverse(base).map((f) => f / factor), scale: 1 };
    }
    // Up to the model's own maximum length nothing is scaled.
    case "dynamic":
      return { frequencies: inverse(base), scale: 1, grows: { factor: number("factor"), beyond: o.maxPositions } };
    case "llama3": {
      const [factor, low, high, old] = [
        number("factor"),
        number("low_freq_factor"),
        number("high_freq_factor"),
        original(),
      ];
      return {
        scale: 1,
        frequencies: inverse(base).map((f) => {
          const length = round(round(2 * Math.PI) / f);
          if (length < old / high) return f;
          if (length > old / low) return f / factor;
          const smooth = round(round(round(old / length) - low) / (high - low));
          return round(round(round(1 - smooth) * f) / factor) + round(smooth * f);
        }),
      };
    }
    case "yarn": {
      const old = original();
      const factor = number("factor", o.maxPositions / old);
      const pairs = powers(base);
      const turn = (rotations: number): number =>
        (size * Math.log(old / (rotations * 2 * Math.PI))) / (2 * Math.log(base));
      const whole = parameters.truncate !== false;
      const from = turn(Number(parameters.beta_fast) || 32);
      const to = turn(Number(parameters.beta_slow) || 1);
      const low = Math.max(whole ? Math.floor(from) : from, 0);
      const high = Math.min(whole ? Math.ceil(to) : to, size - 1);
      const width = high === low ? 0.001 : high - low;
      return {
        scale: yarnScale(parameters, factor),
        frequencies: pairs.map((p, i) => {
          const ramp = Math.min(1, Math.max(0, round(round(i - round(low)) / round(width))));
          const share = round(1 - ramp);
          return round(round(1 / round(factor * p)) * round(1 - share)) + round(round(1 / p) * share);
        }),
      };
    }
    case "longrope":
    case "su": {
      const old = typeof config.original_max_position_embeddings === "number"
        ? config.original_max_position_embeddings
        : original();
      const factor = number("factor", o.maxPositions / old);
      const stated = parameters.attention_factor;
      const scale = typeof stated === "number"
        ? stated
        : factor <= 1
        ? 1
        : Math.sqrt(1 + Math.log(factor) / Math.log(old));
      const pairs = powers(base);
      const by = (factors: readonly number[]): Float32Array =>
        pairs.map((p, i) => 1 / round(round(factors[i] ?? 1) * p));
      const [short, long] = [by(list("short_factor", half)), by(list("long_factor", half))];
      return {
        scale,
        frequencies: short,
        ...(o.maxPositions > old ? { long: { frequencies: long, beyond: old } } : {}),
      };
    }
  }
  throw unsupported(
    o.plugin,
    `${field}.rope_type`,
    type,
    refused[String(type)] ?? "supported: default, linear, dynamic, yarn, longrope, llama3",
  );
}

function yarnScale(parameters: Named<Json>, factor: number): number {
  const { attention_factor: stated, mscale, mscale_all_dim: all } = parameters;
  if (typeof stated === "number") return stated;
  const of = (m: number): number => (factor <= 1 ? 1 : 0.1 * m * Math.log(factor) + 1);
  return typeof mscale === "number" && typeof all === "number" && mscale && all ? of(mscale) / of(all) : of(1);
}

function parametersOf(config: Named<Json>, o: RotaryOptions): Readonly<{ field: string; parameters: Named<Json> }> {
  const object = (value: Json | undefined): Named<Json> | undefined => isObject(value) ? value : undefined;
  const ropeParameters = object(config.rope_parameters);
  const nested = o.layerType === undefined ? undefined : object(ropeParameters?.[o.layerType]);
  if (nested) return { field: `config.rope_parameters.${o.layerType}`, parameters: nested };
  const theta = config[o.theta ?? "rope_theta"];
  const older = {
    ...(theta === undefined || theta === null ? {} : { rope_theta: theta }),
    ...(typeof config.partial_rotary_factor === "number"
      ? { partial_rotary_factor: config.partial_rotary_factor }
      : {}),
  };
  if (ropeParameters && o.layerType === undefined) {
    return { field: "config.rope_parameters", parameters: { ...older, ...ropeParameters } };
  }
  if (ropeParameters && Object.values(ropeParameters).some((value) => object(value))) {
    throw missing(o.plugin, `config.rope_parameters.${o.layerType}`, "config.json");
  }
  const scaling = o.scaling === null ? undefined : object(config[o.scaling ?? "rope_scaling"]);
  return { field: "config.rope_scaling", parameters: { ...older, ...ropeParameters, ...scaling } };
}

/** Computes the cosines and sines for the positions of a batch, once before the layers. */
export function rotationOf(b: GraphBuilder, rotary: Rotary): Rotation {
  const { frequencies, scale, long, grows } = rotary;
  const { positions } = b.stream();
  const constant = (data: Float32Array): Value => b.graph.constant({ dtype: "float32", dims: [data.length], data });
  const base = long
    ? where(greater(max(positions), long.beyond - 1), constant(long.frequencies), constant(frequencies))
    : grows
    ? mul(constant(frequencies), shrunk(positions, frequencies.length, grows, constant))
    : constant(frequencies);
  const angles = mul(reshape(cast(positions, "float32"), ["batch", "seq", 1, 1]), base);
  const twice = (x: Value): Value => {
    const scaled = scale === 1 ? x : mul(x, scale);
    return concat([scaled, scaled], 3);
  };
  return { cos: twice(cos(angles)), sin: twice(sin(angles)), size: 2 * frequencies.length };
}

/**
 * Returns the factor of each frequency, s^(-2i / (size - 2)), that changes the base θ to θ · s^(size / (size - 2)),
 * where s = factor · length / beyond - (factor - 1) for the batch's longest sequence.
 */
function shrunk(
  positions: Value,
  half: number,
  { factor, beyond }: Readonly<{ factor: number; beyond: number }>,
  constant: (data: Float32Array) => Value,
): Value {
  const length = add(cast(max(positions), "float32"), 1);
  const stretch = sub(mul(maximum(length, beyond), factor / beyond), factor - 1);
  const powers = Float32Array.from({ length: half }, (_, i) => (i === 0 ? 0 : -i / (half - 1)));
  return exp(mul(log(stretch), constant(powers)));
}

/** Rotates heads [batch, seq, heads, headDim] by position; pairs are (i, i + size/2). Dims from `size` on stay. */
export function rotate(x: Value, { cos, sin, size }: Rotation): Value {
  const headDim = x.shape[3];
  if (headDim !== size) {
    return concat([rotate(slice(x, 3, 0, size), { cos, sin, size }), slice(x, 3, size, null)], 3);
  }
  const turned = concat([neg(slice(x, 3, size / 2, null)), slice(x, 3, 0, size / 2)], 3);
  return add(mul(x, cos), mul(turned, sin));
}

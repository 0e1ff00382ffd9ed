/**
 * ReFT: edits of hidden states in a small subspace, at the first and last tokens.
 * @module
 */
import * as v from "valibot";
import { define } from "../../core/spec/define.ts";
import { badFile, badValue } from "../../core/base/errors.ts";
import {
  add,
  and,
  concat,
  div,
  equal,
  expand,
  gather,
  gemm,
  greater,
  mul,
  not,
  product,
  reshape,
  slice,
  square,
  sub,
  sum,
  where,
} from "../../core/graph/ops/functions.ts";
import { sizeOfShape } from "../../core/graph/ops/dims.ts";
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
import { hubRecord } from "../../formats/adapterhub/config.ts";
import { readHub, renameToDefault } from "../../formats/adapterhub/read.ts";
import { savedModules } from "../../formats/peft/modules_to_save.ts";
import { openAndAttach, savedEntries } from "../../blocks/adapter/mod.ts";

/** Options of {@link reft}, AdapterHub's ReftConfig in camelCase. */
export interface ReftOptions {
  /** Rank of the subspace. */
  readonly r: number;
  /** Numbers of the layers after which hidden states are edited, or "all". */
  readonly layers: "all" | readonly number[];
  /** How many tokens at the start of each sequence are edited. */
  readonly prefixPositions: number;
  /** How many tokens at the end. */
  readonly suffixPositions: number;
  /** Whether rows are orthonormal (LoReFT) or not (NoReFT). */
  readonly orthogonality: boolean;
  /** Whether the first and the last tokens share the same edit. */
  readonly tiedWeights: boolean;
  /** Dropout on the edited states. */
  readonly dropout: number;
  /** Modules that are trained in full; null: the task's head. */
  readonly modulesToSave: readonly string[] | null;
  /**
   * The folder of an adapter saved by AdapterHub (with safetensors), to continue training it; its config replaces the
   * options above.
   */
  readonly from: string | null;
}

const count = v.pipe(v.number(), v.integer(), v.minValue(0));
const schema: v.GenericSchema<Partial<ReftOptions>, ReftOptions> = v.strictObject({
  r: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.rank)), 1),
  layers: v.optional(v.union([v.literal("all"), v.array(count)]), "all"),
  prefixPositions: v.optional(count, 3),
  suffixPositions: v.optional(count, 0),
  orthogonality: v.optional(v.boolean(), true),
  tiedWeights: v.optional(v.boolean(), false),
  dropout: v.optional(v.pipe(v.number(), v.minValue(0), v.ltValue(1)), 0.05),
  ...savedEntries,
});

/** Names of the options that AdapterHub's config has too. */
const names = ["r", "layers", "prefixPositions", "suffixPositions", "orthogonality", "tiedWeights", "dropout"] as const;

const reader = readHub({
  name: "reft",
  schema,
  names,
  fixed: { architecture: "reft", outputReft: true, nonLinearity: null, dtype: null },
});

/**
 * h ← h + Rᵀ(W h + b - R h) after a layer, at the first and last tokens of each sequence, R with orthonormal rows (Wu
 * et al. 2024).
 *
 * @throws AttuneError on attaching if there are no layers or no positions.
 * @example
 * ```ts
 * import { reft } from "attune/adapters/reft";
 * console.assert(reft({ r: 4, prefixPositions: 2 }).name === "reft");
 * ```
 */
export const reft: Factory<"adapter", Partial<ReftOptions>> = define({
  kind: "adapter",
  name: "reft",
  schema,
  create: (options) => openAndAttach(reader, options, attach),
});

function attach(o: ReftOptions, backbone: InspectedBackbone, context: AttachContext, saved?: Weights): AttachedAdapter {
  const { layers, hiddenSize } = backbone;
  const saves = savedModules(o.modulesToSave, context.modules);
  const chosen = o.layers === "all" ? layers.map((_, i) => i) : o.layers;
  const wrong = chosen.find((n) => n >= layers.length);
  if (wrong !== undefined || chosen.length === 0) {
    throw badValue("reft", "adapter.with.layers", o.layers, `layer numbers below ${layers.length}`);
  }
  if (o.prefixPositions + o.suffixPositions === 0) {
    throw badValue("reft", "adapter.with.prefixPositions", 0, "at least one first or last token");
  }
  if (o.r >= hiddenSize) throw badValue("reft", "adapter.with.r", o.r, `less than the hidden size ${hiddenSize}`);
  const projection = (b: GraphBuilder, path: string): Value => {
    if (!o.orthogonality) return b.parameter(`${path}.projection.weight`, [o.r, hiddenSize], linearInit(hiddenSize));
    const at = `${path}.projection.parametrizations.weight`;
    const base = b.parameter(`${at}.0.base`, [hiddenSize, hiddenSize], randomRotation(hiddenSize, o.r), {
      frozen: true,
    });
    return orthonormalRows(b.parameter(`${at}.original`, [o.r, hiddenSize], minusIdentity(o.r, hiddenSize)), base);
  };
  const edited = (b: GraphBuilder, path: string, h: Value): Value => {
    const r = projection(b, path);
    const source = gemm(
      h,
      b.parameter(`${path}.learned_source.weight`, [o.r, hiddenSize], linearInit(hiddenSize)),
      b.parameter(`${path}.learned_source.bias`, [o.r], linearInit(hiddenSize)),
      { transB: true },
    );
    const change = gemm(sub(source, gemm(h, r, undefined, { transB: true })), r);
    return b.dropout(add(h, change), o.dropout);
  };
  return {
    layer: (b, call, next) => {
      const h = next(call);
      const layer = layers.indexOf(call.path);
      if (!chosen.includes(layer)) return h;
      const side = h.shape[0] === "batch*decoderSeq" ? "decoder_" : "";
      const unit = (i: number): string => `${call.path}.reft_layer.refts.default.units.${i}`;
      const first = o.prefixPositions > 0 ? where(isFirst(b, side, o.prefixPositions), edited(b, unit(0), h), h) : h;
      if (o.suffixPositions === 0) return first;
      return where(isLast(b, side, o.suffixPositions), edited(b, unit(o.tiedWeights ? 0 : 1), h), first);
    },
    isTrainable: saves.isTrainable,
    weights: saved && checkedDiagonals(renameToDefault(saved)),
    record: {
      ...hubRecord(backbone, context, {
        ...Object.fromEntries(names.map((name) => [name, o[name]])),
        architecture: "reft",
        outputReft: true,
        nonLinearity: null,
        dtype: null,
      }),
      derived: async (read) => {
        if (!o.orthogonality) return {};
        const units = [
          ...(o.prefixPositions > 0 || o.tiedWeights ? [0] : []),
          ...(o.suffixPositions > 0 && !o.tiedWeights ? [1] : []),
        ];
        const stems = chosen.flatMap((layer) =>
          units.map((i) => `${layers[layer]}.reft_layer.refts.default.units.${i}.projection.parametrizations.weight`)
        );
        const tensors: Record<string, Tensor> = {};
        for (const stem of stems) {
          tensors[`${stem}.0.base`] = await read(`${stem}.0.base`);
          tensors[`${stem}.original`] = withDiagonal(await read(`${stem}.original`));
        }
        return tensors;
      },
    },
  };
}

// Torch casts the diagonal to integers, which gives -1: it has no gradient, but must not shrink by weight decay.
function withDiagonal(original: Tensor<Float32Array>): Tensor<Float32Array> {
  const [r = 0, n = 0] = original.dims;
  const data = Float32Array.from(original.data);
  for (let i = 0; i < r; i++) data[i * n + i] = -1;
  return { ...original, data };
}

function checkedDiagonals(saved: Weights): Weights {
  return {
    ...saved,
    read: async (name) => {
      const tensor = await saved.read(name);
      const [r = 0, n = 0] = tensor.dims;
      for (let i = 0; name.endsWith(".weight.original") && i < r; i++) {
        if (Math.trunc(tensor.data[i * n + i] ?? 0) === -1) continue;
        throw badFile("reft", name, `has ${tensor.data[i * n + i]} on its diagonal, where orthonormal rows need -1`);
      }
      return tensor;
    },
  };
}

/** Returns which positions are among the first n of their sequence, as a column of bools. */
function isFirst(b: GraphBuilder, side: "" | "decoder_", n: number): Value {
  const { sequence: inside, beyond, columns } = sequences(b, side, n);
  // Counted from the first column in the batch.
  const local = sub(columns, slice(columns, 0, 0, 1));
  return apart(inside, gather(concat([beyond, inside], 1), local, 1), columns);
}

/** Returns which positions are among the last n of their sequence, as a column of bools. */
function isLast(b: GraphBuilder, side: "" | "decoder_", n: number): Value {
  const { sequence: inside, beyond, columns } = sequences(b, side, n);
  return apart(inside, slice(concat([inside, beyond], 1), 1, n, null), columns);
}

/** Returns the sequence of each position (-1: padding), and n columns of -2, for positions beyond either end. */
function sequences(
  b: GraphBuilder,
  side: "" | "decoder_",
  n: number,
): Readonly<{ sequence: Value; beyond: Value; columns: Value }> {
  const none = b.graph.constant({ dtype: "int32", dims: [], data: Int32Array.of(-2) });
  const seq = side === "" ? "seq" : "decoderSeq";
  return {
    sequence: b.input(`${side}sequence_ids`, "int32", ["batch", seq]),
    beyond: expand(none, ["batch", n]),
    columns: b.input(`${side}columns`, "int32", [seq]),
  };
}

/**
 * Whether a position's sequence differs from that of the position n columns away; a sequence's positions are adjacent.
 * Tokens that are generated one by one come after the first column, and are not edited.
 */
function apart(inside: Value, other: Value, columns: Value): Value {
  const whole = equal(slice(columns, 0, 0, 1), 0);
  return reshape(and(and(not(equal(inside, other)), greater(inside, -1)), whole), [sizeOfShape(inside.shape), 1]);
}

/**
 * Returns the transpose of base · H₁ … H_r D: Householder reflections, whose vectors are the columns below the
 * diagonal, as in torch.
 */
function orthonormalRows(original: Value, base: Value): Value {
  const [r, n] = [Number(original.shape[0]), Number(original.shape[1])];
  const { graph } = original;
  const constant = (rows: number, at: (i: number, j: number) => number): Value =>
    graph.constant({
      dtype: "float32",
      dims: [rows, n],
      data: Float32Array.from({ length: rows * n }, (_, k) => at(Math.floor(k / n), k % n)),
    });
  // Row i of `below` is a reflection's vector without its leading 1.
  const below = mul(original, constant(r, (i, j) => (j > i ? 1 : 0)));
  let q = constant(r, (i, j) => (i === j ? -1 : 0)); // Qᵀ
  for (let i = r - 1; i >= 0; i--) {
    const vector = add(slice(below, 0, i, i + 1), constant(1, (_, j) => (j === i ? 1 : 0))); // [1, n]
    const onto = product(q, vector, { transB: true }); // [r, 1]
    const two = graph.constant({ dtype: "float32", dims: [], data: Float32Array.of(2) });
    q = sub(q, mul(product(onto, vector), div(two, sum(square(vector)))));
  }
  return gemm(q, base, undefined, { transB: true });
}

function linearInit(inFeatures: number): Initializer {
  return { uniform: 1 / Math.sqrt(inFeatures) };
}

function minusIdentity(r: number, n: number): Initializer {
  return () => {
    const data = new Float32Array(r * n);
    for (let i = 0; i < r; i++) data[i * n + i] = -1;
    return Promise.resolve(data);
  };
}

/**
 * Returns a product of random reflections: its first columns are distributed like torch's random orthogonal ones; the
 * other columns may be any completion.
 */
function randomRotation(n: number, r: number): Initializer {
  return (_, random) => {
    const q = new Float64Array(n * n);
    for (let i = 0; i < n; i++) q[i * n + i] = 1;
    for (let k = 0; k <= r; k++) {
      const stream = random.fork("reflection", k);
      const u = Float64Array.from({ length: n }, (_, i) => stream.normal(i));
      const scale = 2 / u.reduce((total, x) => total + x * x, 0);
      for (let j = 0; j < n; j++) {
        let dot = 0;
        for (let i = 0; i < n; i++) dot += (u[i] ?? 0) * (q[i * n + j] ?? 0);
        for (let i = 0; i < n; i++) q[i * n + j] = (q[i * n + j] ?? 0) - scale * dot * (u[i] ?? 0);
      }
    }
    return Promise.resolve(Float32Array.from(q));
  };
}

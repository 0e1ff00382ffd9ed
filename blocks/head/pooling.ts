/** Pooling: one state per sequence. */
import * as v from "valibot";
import { role } from "../options/mod.ts";
import { most } from "../../core/base/most.ts";
import { activation } from "../../core/graph/activations.ts";
import {
  add,
  cast,
  concat,
  div,
  equal,
  expand,
  gather,
  greater,
  matmul,
  max,
  mul,
  reshape,
  sqrt,
  square,
  sub,
  sum,
  where,
} from "../../core/graph/ops/functions.ts";
import type { Pooling, SentenceDense } from "../../core/files/sentence_modules.ts";
import type { BackboneOutput, GraphBuilder, HeadSpec, Side, Value } from "../../core/types.ts";

/** Schema of a {@link Pooling}. */
const poolingSchema: v.GenericSchema<Pooling> = v.picklist([
  "mean",
  "first",
  "last",
  "max",
  "mean-sqrt-len",
  "weighted-mean",
]);

/** How a sentence embedding is computed: one pooling, or several concatenated, and the layers after it. */
export interface EmbeddingSteps {
  /** How token states become one vector; several poolings are concatenated. */
  readonly pooling: Pooling | readonly Pooling[];
  /** The layers after pooling, in order. */
  readonly steps: readonly (SentenceDense | "normalize")[];
}

/** Schema entries of {@link EmbeddingSteps}. */
export const embeddingEntries: {
  readonly pooling: v.OptionalSchema<v.GenericSchema<Pooling | readonly Pooling[]>, "mean">;
  readonly steps: v.OptionalSchema<v.GenericSchema<EmbeddingSteps["steps"]>, readonly []>;
} = {
  pooling: v.optional(v.union([poolingSchema, v.pipe(v.array(poolingSchema), v.minLength(1))]), "mean"),
  steps: v.optional(
    v.array(v.union([
      v.literal("normalize"),
      v.strictObject({
        path: role(v.string(), { role: "file-name" }),
        outFeatures: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(most.width)),
        bias: v.boolean(),
        activation: v.string(),
      }),
    ])),
    [],
  ),
};

/**
 * Returns `embedding` [sequences, size] by sentence-transformers' modules; in encoder-decoder models, the encoder's.
 */
export function sentenceEmbedding(b: GraphBuilder, states: BackboneOutput, { pooling, steps }: EmbeddingSteps): Value {
  const hidden = states.encoder ?? states.hidden;
  const parts = [pooling].flat().map((mode) => pooled(b, hidden, mode));
  let x = parts.length === 1 ? parts[0] as Value : concat(parts, -1);
  for (const step of steps) {
    if (step === "normalize") x = unitLength(x);
    else {
      const { path, outFeatures, bias } = step;
      x = activation("sentence", path, step.activation)(b.linear(`${path}.linear`, x, { outFeatures, bias }));
    }
  }
  return x;
}

/** Whether sequences may not be packed into one row: "max" takes the largest of a row's states for one sequence. */
export function isUnshareable(pooling: EmbeddingSteps["pooling"]): boolean {
  return [pooling].flat().includes("max");
}

function pooled(b: GraphBuilder, hidden: Value, mode: Pooling): Value {
  switch (mode) {
    case "mean-sqrt-len": {
      const belongs = belonging(b, hidden, "input");
      return div(matmul(belongs, hidden), sqrt(sum(belongs, 1, true)));
    }
    case "weighted-mean": {
      // Tokens are weighted by their position in their sequence, from 1.
      const { columnIndex: columns, first, sequence } = b.stream();
      const places = reshape(expand(reshape(columns, [1, "seq"]), sequence.shape), [hidden.shape[0] ?? 1]);
      const starts = reshape(gather(places, first), ["sequences", 1]);
      const place = cast(add(sub(reshape(places, [1, hidden.shape[0] ?? 1]), starts), 1), "float32");
      const weights = mul(belonging(b, hidden, "input"), place);
      return div(matmul(weights, hidden), sum(weights, 1, true));
    }
    case "max": {
      // Here each sequence has its own row.
      const { sequence, first } = b.stream();
      const size = hidden.shape[1] ?? 1;
      const real = reshape(greater(sequence, -1), ["batch", "seq", 1]);
      const largest = max(where(real, reshape(hidden, ["batch", "seq", size]), -3.4e38), 1); // [batch, size]
      const rows = reshape(max(cast(sequence, "float32"), 1), [1, "batch"]);
      const flat = cast(reshape(sequence, [hidden.shape[0] ?? 1]), "float32");
      const belongs = cast(equal(reshape(gather(flat, first), ["sequences", 1]), rows), "float32");
      return matmul(belongs, largest);
    }
    default:
      return pooledStates(b, hidden, mode);
  }
}

/** Returns the state of each sequence's first or last token, or their mean: [sequences, hidden]. */
export function pooledStates(b: GraphBuilder, hidden: Value, pool: HeadSpec["pool"], side: Side = "input"): Value {
  const { first, last } = b.stream(side);
  if (pool === undefined) return hidden;
  return pool === "mean" ? means(b, hidden, side) : b.rows(hidden, pool === "first" ? first : last);
}

/** Scales rows to length 1. */
export function unitLength(x: Value): Value {
  return div(x, sqrt(sum(square(x), 1, true)));
}

function means(b: GraphBuilder, hidden: Value, side: Side): Value {
  const belongs = belonging(b, hidden, side);
  return div(matmul(belongs, hidden), sum(belongs, 1, true));
}

/** Returns which position belongs to which sequence, as ones and zeros [sequences, batch*seq]. */
function belonging(b: GraphBuilder, hidden: Value, side: Side): Value {
  const { sequence, first } = b.stream(side);
  const places = hidden.shape[0] ?? 1;
  const flat = reshape(sequence, [places]);
  const sequenceIndex = reshape(gather(flat, first), ["sequences", 1]);
  return cast(equal(sequenceIndex, reshape(flat, [1, places])), "float32");
}

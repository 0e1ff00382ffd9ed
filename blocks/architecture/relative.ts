/** Relative positions in attention: score terms by distance, from a table or from products with distance embeddings. */
import {
  add,
  cast,
  concat,
  gather,
  max,
  maximum,
  minimum,
  neg,
  product,
  reshape,
  slice,
  sub,
  transpose,
  zeros,
} from "../../core/graph/ops/functions.ts";
import { log } from "../../core/math/math.ts";
import type { AttentionOptions, GraphBuilder, Initializer, Side, Value } from "../../core/types.ts";

/** A layer's queries and keys [batch, seq, heads, headDim]. */
export type QueriesAndKeys = Readonly<{ query: Value; key: Value }>;

/**
 * Attention scores' terms that depend on distance. `shared`: values computed once, before the layers, and read by each;
 * `of`: the attention options of the layer at `path`.
 */
export type RelativeAttention = Readonly<{
  shared(b: GraphBuilder): readonly Value[];
  of(
    b: GraphBuilder,
    path: string,
    states: QueriesAndKeys,
    shared: readonly Value[],
  ): Pick<AttentionOptions, "scale" | "bias">;
}>;

/** A table with a number for each bucket of distances and each head (Raffel et al. 2020). */
export type BucketTable = Readonly<{
  path: string;
  numHeads: number;
  numBuckets: number;
  maxDistance: number;
  /** Rows of the table, if it has more than `numBuckets`. */
  rows?: number;
  init?: Initializer;
  side?: Side;
}>;

/**
 * Returns the bias [heads, queries, keys] of each head for the bucket of each distance. The tokens of a sequence are
 * adjacent, so the distance between two of them is that of their columns.
 */
export function bucketBias(b: GraphBuilder, o: BucketTable): Value {
  const [queries, keys] = [b.stream(o.side).columnIndex, b.stream(o.side, "keys").columnIndex];
  const distance = sub(reshape(keys, [1, keys.shape[0] ?? 1]), reshape(queries, [queries.shape[0] ?? 1, 1]));
  return transpose(biasOf(b, o, distance), [2, 0, 1]);
}

/** Returns the bias [batch, heads, queries, keys] for keys that are at the first positions. */
export function bucketBiasInFront(b: GraphBuilder, o: BucketTable, positions: Value): Value {
  const offsets = b.stream(o.side).positions;
  const distance = sub(reshape(positions, [1, 1, positions.shape[0] ?? 1]), reshape(offsets, [...offsets.shape, 1]));
  return transpose(biasOf(b, o, distance), [0, 3, 1, 2]);
}

/** Returns the table's entries [..., heads] for distances [...]. */
function biasOf(b: GraphBuilder, o: BucketTable, distance: Value): Value {
  const { numBuckets, maxDistance, numHeads, side = "input" } = o;
  const buckets = rowsOfDistances(b, distance, relativeBuckets(numBuckets, maxDistance, side === "input"));
  return gather(b.parameter(`${o.path}.weight`, [o.rows ?? numBuckets, numHeads], o.init), buckets);
}

/** Returns the table's row for each distance, given those of -n to n, n = (length - 1) / 2; others are clamped. */
function rowsOfDistances(b: GraphBuilder, distance: Value, rows: Int32Array): Value {
  const furthest = (rows.length - 1) / 2;
  const index = add(minimum(maximum(distance, -furthest), furthest), furthest);
  return gather(b.graph.constant({ dtype: "int32", dims: [rows.length], data: rows }), index);
}

/**
 * Returns the bucket of each distance from -maxDistance to maxDistance: one bucket for each of the nearest, then
 * logarithmically wider ones. Without `bidirectional` all later keys share bucket 0. Rounds to float32 like torch.
 */
export function relativeBuckets(numBuckets: number, maxDistance: number, bidirectional: boolean): Int32Array {
  const count = bidirectional ? Math.floor(numBuckets / 2) : numBuckets;
  const exact = Math.floor(count / 2);
  const scale = Math.fround(log(maxDistance / exact));
  const bucketOf = (distance: number): number => {
    if (distance < exact) return distance;
    const share = Math.fround(Math.fround(log(Math.fround(distance / exact))) / scale);
    return Math.min(count - 1, exact + Math.trunc(Math.fround(share * (count - exact))));
  };
  return Int32Array.from({ length: 2 * maxDistance + 1 }, (_, i) => {
    const distance = i - maxDistance;
    if (bidirectional) return bucketOf(Math.abs(distance)) + (distance > 0 ? count : 0);
    return bucketOf(Math.max(0, -distance));
  });
}

/** Returns all distances from key to query, seq - 1, seq - 2, ..., -seq: [2*seq] float32. */
export function allDistances(b: GraphBuilder): Value {
  const columns = cast(b.input("columns", "int32", ["seq"]), "float32");
  return concat([sub(max(columns), columns), sub(neg(columns), 1)], 0);
}

/**
 * Returns the scores of each pair of positions [batch, heads, seq, seq], given those of each distance [batch, heads,
 * seq, 2*seq]: row i is read i columns further left. This avoids a tensor with a vector for every pair.
 */
export function relativeShift(scores: Value, heads: number): Value {
  const padded = concat([zeros(scores, ["batch", heads, "seq", 1]), scores], 3);
  const turned = slice(reshape(padded, ["batch", heads, "2*seq+1", "seq"]), 2, 1, null);
  const halves = reshape(turned, ["batch", heads, "seq", 2, "seq"]);
  return reshape(slice(halves, 3, 0, 1), ["batch", heads, "seq", "seq"]);
}

/** Options of attention between contents and distances (He et al. 2021). */
export type Disentangled = Readonly<{
  hiddenSize: number;
  numHeads: number;
  /** Number of score terms, which divides their scale: 1 / √(headDim · kinds). */
  kinds: number;
  /** The table's row for each distance from key to query, as {@link spanRows} returns them. */
  rows: Int32Array;
  /** [rows, hidden] */
  table: (b: GraphBuilder) => Value;
  dropout: number;
  /** Paths of the layers from the table to keys (for content queries) and queries (for content keys); absent: none. */
  key: ((path: string) => string) | undefined;
  query: ((path: string) => string) | undefined;
}>;

/** Returns the score terms content-to-distance and distance-to-content. */
export function disentangled(o: Disentangled): RelativeAttention {
  const { hiddenSize, numHeads } = o;
  const headDim = hiddenSize / numHeads;
  const scale = 1 / Math.sqrt(headDim * o.kinds);
  return {
    shared: (b) => (o.key || o.query ? [o.table(b)] : []),
    of: (b, path, { query, key }, [table]) => {
      if (!table) return { scale };
      const dropped = b.dropout(table, o.dropout);
      const byHead = (x: Value): Value => transpose(x, [0, 2, 1, 3]); // [batch, heads, seq, headDim]
      const scores = (states: Value, module: string, distances: Value): Value => {
        const vectors = gather(
          b.linear(module, dropped, { outFeatures: hiddenSize }),
          rowsOfDistances(b, cast(distances, "int32"), o.rows),
        );
        const heads = byHead(reshape(vectors, [1, "2*seq", numHeads, headDim]));
        return relativeShift(product(byHead(states), heads, { alpha: scale, transB: true }), numHeads);
      };
      const distances = allDistances(b);
      const parts = [
        ...(o.key ? [scores(query, o.key(path), distances)] : []),
        // Here the rows of the scores are keys, hence the transpose.
        ...(o.query ? [transpose(scores(key, o.query(path), neg(distances)), [0, 1, 3, 2])] : []),
      ];
      return { scale, bias: parts.reduce((a, b) => add(a, b)) };
    },
  };
}

/**
 * Returns the row of each distance in a table of 2 * span rows. Without `maxPosition` each distance up to the span has
 * its own row; else half of them do, and longer ones share logarithmically wider ones. Rounds to float32 like torch.
 */
export function spanRows(span: number, maxPosition?: number): Int32Array {
  const middle = Math.floor(span / 2);
  const base = maxPosition === undefined ? 1 : Math.fround(log(Math.fround((maxPosition - 1) / middle)));
  const bucketOf = (distance: number): number => {
    if (maxPosition === undefined || distance <= middle) return distance;
    const share = Math.fround(Math.fround(log(Math.fround(distance / middle))) / base);
    return Math.ceil(Math.fround(share * (middle - 1))) + middle;
  };
  let furthest = 1;
  while (bucketOf(furthest) < span) furthest++;
  return Int32Array.from({ length: 2 * furthest + 1 }, (_, i) => {
    const bucket = Math.sign(i - furthest) * bucketOf(Math.abs(i - furthest));
    return Math.min(2 * span - 1, Math.max(0, bucket + span));
  });
}

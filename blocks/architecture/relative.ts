/**
 * What attention's scores add for how far apart two places are: numbers of a table, or products with vectors of distances.
 */
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
 * What the attention of an encoder's layers is given besides. `shared`: what was computed before them and each of them reads;
 * `of`: the options of the layer at a path.
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

/** A table with a number for each bucket of distances and head (Raffel et al. 2020). */
export type BucketTable = Readonly<{
  path: string;
  numHeads: number;
  numBuckets: number;
  maxDistance: number;
  /** Rows of the table, where there are more than buckets. */
  rows?: number;
  init?: Initializer;
  side?: Side;
}>;

/**
 * [heads, queries, keys]: a number for each head and bucket of distances. Sequences stand in one piece, so the distance
 * of two places of one is that of their columns.
 */
export function bucketBias(b: GraphBuilder, o: BucketTable): Value {
  const [queries, keys] = [b.stream(o.side).columnIndex, b.stream(o.side, "keys").columnIndex];
  const distance = sub(reshape(keys, [1, keys.shape[0] ?? 1]), reshape(queries, [queries.shape[0] ?? 1, 1]));
  return transpose(biasOf(b, o, distance), [2, 0, 1]);
}

/** [batch, heads, queries, keys] of keys at the first positions. */
export function bucketBiasInFront(b: GraphBuilder, o: BucketTable, positions: Value): Value {
  const offsets = b.stream(o.side).positions;
  const distance = sub(reshape(positions, [1, 1, positions.shape[0] ?? 1]), reshape(offsets, [...offsets.shape, 1]));
  return transpose(biasOf(b, o, distance), [0, 3, 1, 2]);
}

/** [..., heads]: what the table has for distances [...]. */
function biasOf(b: GraphBuilder, o: BucketTable, distance: Value): Value {
  const { numBuckets, maxDistance, numHeads, side = "input" } = o;
  const buckets = rowsOfDistances(b, distance, relativeBuckets(numBuckets, maxDistance, side === "input"));
  return gather(b.parameter(`${o.path}.weight`, [o.rows ?? numBuckets, numHeads], o.init), buckets);
}

/** The row of each distance; `rows` has those of the distances up to as many to both sides, further ones count as the last. */
function rowsOfDistances(b: GraphBuilder, distance: Value, rows: Int32Array): Value {
  const furthest = (rows.length - 1) / 2;
  const index = add(minimum(maximum(distance, -furthest), furthest), furthest);
  return gather(b.graph.constant({ dtype: "int32", dims: [rows.length], data: rows }), index);
}

/**
 * The bucket of each distance from -maxDistance to maxDistance: one each for the nearest, then logarithmically wider
 * ones. Without `bidirectional` all keys that come later share bucket 0. In float32 steps, as torch takes them.
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

/** The distances seq - 1, seq - 2, ..., -seq of a query from a key [2*seq] float32. */
export function allDistances(b: GraphBuilder): Value {
  const columns = cast(b.input("columns", "int32", ["seq"]), "float32");
  return concat([sub(max(columns), columns), sub(neg(columns), 1)], 0);
}

/**
 * From scores by distance [batch, heads, seq, 2*seq], those of each pair of places [batch, heads, seq, seq]: row i begins i
 * places further left. Nothing is as large as all pairs times a vector.
 */
export function relativeShift(scores: Value, heads: number): Value {
  const padded = concat([zeros(scores, ["batch", heads, "seq", 1]), scores], 3);
  const turned = slice(reshape(padded, ["batch", heads, "2*seq+1", "seq"]), 2, 1, null);
  const halves = reshape(turned, ["batch", heads, "seq", 2, "seq"]);
  return reshape(slice(halves, 3, 0, 1), ["batch", heads, "seq", "seq"]);
}

/** Attention between contents and distances (He et al. 2021). */
export type Disentangled = Readonly<{
  hiddenSize: number;
  numHeads: number;
  /** How many kinds of scores are scaled as one. */
  kinds: number;
  /** The table's row of each distance of a query from a key, as {@link spanRows} gives them. */
  rows: Int32Array;
  /** [rows, hidden] */
  table: (b: GraphBuilder) => Value;
  dropout: number;
  /** The layers that make keys of it, for queries of contents, and queries, for keys of contents; absent: no such scores. */
  key: ((path: string) => string) | undefined;
  query: ((path: string) => string) | undefined;
}>;

/** The scores of contents for distances and of distances for contents. */
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
        // Here keys ask: a row is a key's.
        ...(o.query ? [transpose(scores(key, o.query(path), neg(distances)), [0, 1, 3, 2])] : []),
      ];
      return { scale, bias: parts.reduce((a, b) => add(a, b)) };
    },
  };
}

/**
 * The row of a table of 2 * span for each distance. Without `maxPosition` a distance has a row of its own up to the
 * span; else half of them have, and further ones share logarithmically wider ones. In float32 steps, as torch takes them.
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

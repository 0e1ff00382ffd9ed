/**
 * Connectionist temporal classification.
 * @module
 */
import * as v from "valibot";
import { badValue } from "../../core/base/errors.ts";
import { define } from "../../core/spec/define.ts";
import * as f from "../../core/graph/ops/functions.ts";
import type { Factory, GraphBuilder, Value } from "../../core/types.ts";
import { countFor, rowsOf, weightedSum } from "../../blocks/loss/mod.ts";

/** Options of {@link ctc}. */
export interface CtcOptions {
  /** The class that stands for no label. */
  readonly blank: number;
  /** The mean over sequences of each loss divided by its number of labels, or the sum over sequences. */
  readonly reduction: "mean" | "sum";
  /** Whether sequences with more labels than positions have a loss of 0 instead of infinity. */
  readonly zeroInfinity: boolean;
}

/** The log of an impossible event: very small, but sums of a few of them are finite. */
const MASKED_SCORE = -1e30;

/**
 * -ln Σ over all ways to spread the labels, blanks between them, over the places (Graves et al. 2006), as torch's
 * CTCLoss. The output has logits for each place, [batch*seq, classes] or [batch, seq, classes]; the target is
 * [sequences, labels], padded at the end with any negative number.
 *
 * A state is left once and never entered again, so the recursion over time is a sum over the place at which it was
 * entered: one step per state, each a masked [seq, seq] sum in logarithms, for any number of places. The gradient is
 * the states' posterior, by the same sums from both ends.
 *
 * @example
 * ```ts
 * import { ctc } from "attune/losses/ctc";
 * console.assert(ctc({ zeroInfinity: true }).count({ dtype: "int32", dims: [2, 3], data: new Int32Array(6) }) === 2);
 * ```
 */
export const ctc: Factory<"loss", Partial<CtcOptions>> = define({
  kind: "loss",
  name: "ctc",
  schema: v.strictObject({
    blank: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0),
    reduction: v.optional(v.picklist(["mean", "sum"]), "mean"),
    zeroInfinity: v.optional(v.boolean(), false),
  }),
  create: ({ blank, reduction, zeroInfinity }: CtcOptions) => ({
    over: "batch",
    weighted: true,
    per: "sequence",
    sum: (b, logits, target, weight) => {
      const nll = negativeLog(b, f.logSoftmax(f.asMatrix(logits)), target, blank); // [sequences]
      const impossible = f.greater(nll, -MASKED_SCORE / 10);
      const each = f.where(impossible, zeroInfinity ? 0 : Infinity, nll);
      if (reduction === "sum") return weightedSum(each, weight);
      const lengths = f.sum(f.cast(f.greater(target, -1), "float32"), -1);
      return weightedSum(f.div(each, f.maximum(lengths, 1)), weight);
    },
    count: countFor(
      reduction,
      ({ dims, data }, weight) => rowsOf({ dims: dims.slice(0, 1), dtype: "int32", data }, weight),
    ),
  }),
});

function negativeLog(b: GraphBuilder, logp: Value, target: Value, blank: number): Value {
  const labels = target.shape[1];
  if (typeof labels !== "number") {
    throw badValue("ctc", "target", target.shape, "[sequences, a fixed number of labels]");
  }
  const { segments, columnIndex: columns, sequence: ids, first } = b.stream();
  const [batch, seq] = segments.shape as [string, string];
  const sequence = f.maximum(ids, 0);
  const asKey = (x: Value): Value => f.reshape(x, [batch, 1, seq]);
  const asQuery = (x: Value): Value => f.reshape(x, [batch, seq, 1]);
  const same = f.and(f.equal(asQuery(segments), asKey(segments)), f.greater(asKey(segments), 0));
  const [t, w] = [f.reshape(columns, [1, seq, 1]), f.reshape(columns, [1, 1, seq])];
  const before = f.and(same, f.less(w, t));
  const after = f.and(same, f.greater(w, t));

  // For each position: its sequence's labels, ln p of blank and labels, and its sums up to here and over the sequence.
  const targets = f.gather(target, sequence); // [batch, seq, labels]
  const rows = logp.shape[0] ?? 1;
  const classes = f.concat([
    f.expand(f.constant(target, { dtype: "int32", dims: [], data: Int32Array.of(blank) }), [rows, 1]),
    f.reshape(f.maximum(targets, 0), [rows, labels]),
  ], 1);
  const score = f.reshape(f.apply("GatherElements", [logp, classes], { axis: 1 }), [batch, seq, labels + 1]);
  const upTo = f.matmul(f.cast(f.and(same, f.not(f.greater(w, t))), "float32"), score);
  const whole = f.matmul(f.cast(same, "float32"), score);
  const count = f.sum(f.cast(f.greater(targets, -1), "float32"), -1); // [batch, seq]

  const states = Array.from({ length: 2 * labels + 1 }, (_, s) => s);
  const column = (x: Value, i: number): Value => f.reshape(f.slice(x, 2, i, i + 1), [batch, seq]);
  const symbol = (s: number): number => (s % 2 === 0 ? 0 : (s + 1) / 2);
  // Whether state s can be entered from s - 2: different labels need no blank between them.
  const skips = (s: number): Value | undefined =>
    s % 2 === 0 || s < 3
      ? undefined
      : f.not(f.equal(f.slice(targets, 2, (s - 1) / 2, (s + 1) / 2), f.slice(targets, 2, (s - 3) / 2, (s - 1) / 2)));
  const skipping = (s: number, x: Value): Value => {
    const may = skips(s);
    return may ? f.where(f.reshape(may, [batch, seq]), x, MASKED_SCORE) : x;
  };
  const reach = (mask: Value, x: Value): Value => {
    const y = f.where(mask, asKey(x), MASKED_SCORE);
    const top = f.max(y, -1, true);
    return f.reshape(f.add(top, f.log(f.sum(f.exp(f.sub(y, top)), -1, true))), [batch, seq]);
  };

  // The log of all ways to go from state s at a position to the sequence's end, without the position's own ln p.
  const toEnd: Value[] = [];
  for (const s of states.toReversed()) {
    const [e, l] = [column(score, symbol(s)), column(upTo, symbol(s))];
    const last = f.or(f.equal(f.mul(count, 2), s), f.equal(f.mul(count, 2), s + 1));
    let ways = f.where(last, column(whole, symbol(s)), MASKED_SCORE);
    const next = (n: number): Value => f.add(column(score, symbol(n)), toEnd[n] as Value);
    if (s + 1 < states.length) {
      const leaves = s + 2 < states.length && skips(s + 2)
        ? logAdd(next(s + 1), skipping(s + 2, next(s + 2)))
        : next(s + 1);
      ways = logAdd(ways, reach(after, f.add(f.sub(l, e), leaves)));
    }
    toEnd[s] = f.sub(ways, l);
  }
  const begins = [0, 1].map((s) => f.add(column(score, symbol(s)), toEnd[s] as Value)) as [Value, Value];
  const total = f.gather(f.reshape(logAdd(...begins), [rows]), first); // [sequences]

  return b.graph.withVjp([logp], [f.neg(total)], ([dy]) => {
    if (!dy) return [undefined];
    // The log of all ways from the sequence's first position to state s at a position.
    const fromStart: Value[] = [];
    for (const s of states) {
      const l = column(upTo, symbol(s));
      let ways = s < 2 ? f.zeros(l, l.shape) : undefined;
      if (s > 0) {
        const came = skips(s)
          ? logAdd(fromStart[s - 1] as Value, skipping(s, fromStart[s - 2] as Value))
          : fromStart[s - 1] as Value;
        const entered = reach(before, f.sub(came, l));
        ways = ways ? logAdd(ways, entered) : entered;
      }
      fromStart[s] = f.add(l, ways as Value);
    }
    const all = f.gather(total, sequence); // [batch, seq]
    const weight = f.mul(f.gather(dy, sequence), f.cast(f.greater(segments, 0), "float32"));
    const posterior = states.map((s) =>
      f.mul(f.exp(f.sub(f.add(fromStart[s] as Value, toEnd[s] as Value), all)), weight)
    );
    const blanks = posterior.filter((_, s) => s % 2 === 0).reduce((a, c) => f.add(a, c));
    const columnsOf = [blanks, ...posterior.filter((_, s) => s % 2 === 1)].map((x) => f.reshape(x, [rows, 1]));
    const zeros = f.zeros(logp, logp.shape);
    return [f.neg(f.apply("ScatterElements", [zeros, classes, f.concat(columnsOf, 1)], { axis: 1 }))];
  })[0] as Value;
}

/** ln(eᵃ + eᵇ) */
function logAdd(a: Value, b: Value): Value {
  return f.add(f.maximum(a, b), f.softplus(f.neg(f.abs(f.sub(a, b)))));
}

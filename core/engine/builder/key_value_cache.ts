/**
 * Keys and values of what came before, as inputs and outputs of a graph that generates.
 *
 * They lie place by place, so that those of one more place are written behind the others; of the other side by head, as
 * they are computed with, for they never change.
 */
import * as f from "../../graph/ops/functions.ts";
import type { Node, Value } from "../../graph/graph.ts";
import type { AttentionOptions } from "../../types.ts";
import { swapHeadsAndPlaces } from "./heads_first.ts";
import type { BuildOptions } from "./options.ts";

/** What begins the names of keys and values of the other side, which stay as they are. */
export const CROSS_ATTENTION = "cross";

/** Rows of places, and places of rows. */
const PLACES_FIRST: readonly number[] = [1, 0, 2, 3];

/** The keys and values that a build caches. */
export type KeyValueEntries = Readonly<{
  /** What is cached for the next token, by the input that takes it. */
  outputs: ReadonlyMap<string, Value>;
  /** The keys and values that one call of attention sees, of which it is given the new ones. */
  update(k: Value, v: Value, options: AttentionOptions): readonly [Value, Value];
  /** Keys or values by head, in the parts that they are stored in: cached ones are read where they are. */
  partsOf(x: Value): readonly Value[];
}>;

/** The cache of a build, which is empty; outside of generation it stays so. */
export function createKeyValueEntries({ graph, phase, grows }: BuildOptions): KeyValueEntries {
  const outputs = new Map<string, Value>();
  // What is cached with what is new behind it, by what both are together.
  const stored = new Map<Value, readonly Value[]>();
  let calls = 0;
  // Of the other side, which the prompt's graph computes and every other reads.
  const ofOtherSide = (input: string, x: Value): Value => {
    const [batch = 1, seq = 1, heads = 1, headDim = 1] = x.shape;
    if (phase === "decode") return swapHeadsAndPlaces(graph.input(input, "float32", [batch, heads, seq, headDim]));
    outputs.set(input, swapHeadsAndPlaces(x));
    return swapHeadsAndPlaces(swapHeadsAndPlaces(x));
  };
  const behindPast = (input: string, x: Value): Value => {
    const [batch = 1, , heads = 1, headDim = 1] = x.shape;
    outputs.set(input, f.transpose(x, PLACES_FIRST));
    if (phase === "prefill") return x;
    const past = graph.input(input, "float32", ["pastSeq", batch, heads, headDim]);
    const all = f.concat([f.transpose(past, PLACES_FIRST), x], 1);
    stored.set(all, [f.transpose(past, [1, 2, 0, 3]), swapHeadsAndPlaces(x)]);
    return all;
  };
  const partsOf = (x: Value): readonly Value[] => {
    const known = stored.get(x);
    if (known) return known;
    const producer = graph.producer(x);
    const parts = producer?.op === "Concat" && (producer as Node<"Concat">).attrs.axis === 1
      ? producer.inputs.flatMap((part) => (part ? [partsOf(part)] : []))
      : [];
    return parts.some((part) => part.length > 1) ? parts.flat() : [swapHeadsAndPlaces(x)];
  };
  return {
    outputs,
    update: (k, v, { queries = "input", keys = "input" }) => {
      if (phase === undefined || queries !== grows) return [k, v];
      const [name, cached] = keys === queries ? ["past", behindPast] as const : [CROSS_ATTENTION, ofOtherSide] as const;
      const call = calls++;
      return [cached(`${name}.${call}.key`, k), cached(`${name}.${call}.value`, v)];
    },
    partsOf,
  };
}

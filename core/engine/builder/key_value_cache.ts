/**
 * The key-value cache as inputs and outputs of a generation graph.
 *
 * The generating side's entries have the place axis first, so that a new place is appended at the end. Those of
 * cross-attention never change, and have heads first, as matrix products need them.
 */
import * as f from "../../graph/ops/functions.ts";
import type { Node, Value } from "../../graph/graph.ts";
import type { AttentionOptions } from "../../types.ts";
import { swapHeadsAndPlaces } from "./heads_first.ts";
import type { BuildOptions } from "./options.ts";

/** The prefix of the names of cross-attention keys and values, which do not change during generation. */
export const CROSS_ATTENTION = "cross";

/** The permutation between [rows, places, ...] and [places, rows, ...]. */
const PLACES_FIRST: readonly number[] = [1, 0, 2, 3];

/** The cached keys and values of a build. */
export type KeyValueEntries = Readonly<{
  /** The entries for the next token, by the name of the input that takes them. */
  outputs: ReadonlyMap<string, Value>;
  /** Returns all keys and values that a call of attention sees, given the new ones. */
  update(k: Value, v: Value, options: AttentionOptions): readonly [Value, Value];
  /** Returns keys or values with heads first, in the parts they are stored in, so that cached ones are not copied. */
  partsOf(x: Value): readonly Value[];
}>;

/** Creates the empty cache of a build; outside of generation it stays empty. */
export function createKeyValueEntries({ graph, phase, grows }: BuildOptions): KeyValueEntries {
  const outputs = new Map<string, Value>();
  // The cached and the new part of each concatenated value.
  const stored = new Map<Value, readonly Value[]>();
  let calls = 0;
  // Cross-attention: the prompt's graph computes the entries, later graphs read them.
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

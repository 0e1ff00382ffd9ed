/** The graph inputs that describe tokens: which exist, their sequences and their positions. */
import { addDims, seqDim } from "../../graph/ops/dims.ts";
import type { Graph, Value } from "../../graph/graph.ts";
import type { Side, TokenStream } from "../../types.ts";
import type { BuildOptions } from "./options.ts";

/** Builds one side's token stream. In generation there are more keys than queries: earlier tokens come first. */
export function tokenStream(
  options: Pick<BuildOptions, "graph" | "phase" | "grows">,
  side: Side = "input",
  role: "queries" | "keys" = "queries",
): TokenStream {
  const { graph } = options;
  const prefix = side === "decoder" ? "decoder_" : "";
  const seq = seqDim(side);
  if (role === "keys" && options.phase === "decode" && side === options.grows) {
    const all = addDims("pastSeq", seq);
    return {
      ...tokenStream(options, side),
      segments: graph.input("key_segments", "int32", ["batch", all]),
      positions: graph.input("key_positions", "int32", ["batch", all]),
      columnIndex: graph.input("key_columns", "int32", [all]),
    };
  }
  const places = (name: string): Value => graph.input(`${prefix}${name}`, "int32", ["batch", seq]);
  const sequences = (name: string): Value => graph.input(`${prefix}${name}`, "int32", ["sequences"]);
  return {
    ids: places("input_ids"),
    segments: places("segments"),
    positions: places("positions"),
    sequence: places("sequence_ids"),
    columnIndex: graph.input(`${prefix}columns`, "int32", [seq]),
    first: sequences("first"),
    last: sequences("last"),
  };
}

/** Returns the name of the input with the places of labels. */
export function labelPlaces(name: string): string {
  return `${name}.at`;
}

/** Returns the name of the dim that counts the values of an input of places. */
export function countDim(places: string): string {
  return `${places}.count`;
}

/** Returns 0, 1, 2, ... as positions of keys. */
export function firstPositions(graph: Graph, count: number): Value {
  return graph.constant({ dtype: "int32", dims: [count], data: Int32Array.from({ length: count }, (_, i) => i) });
}

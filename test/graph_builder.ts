/** A graph's builder as tests of losses and regularizers take it: nothing is attached, smoothed or computed again. */
import { createGraphBuilder } from "../core/engine/builder/builder.ts";
import type { Graph } from "../core/graph/graph.ts";

/** The builder, with what it has recorded. */
export function buildOn(
  graph: Graph,
  mode: "train" | "evaluate" = "train",
): ReturnType<typeof createGraphBuilder> {
  return createGraphBuilder({
    graph,
    mode,
    attached: [],
    initializerRange: 0.02,
    labelSmoothing: 0,
    checkpointing: false,
    targets: {},
    isTrainable: () => true,
  });
}

/**
 * What a model consists of, found by building it once without adapters.
 * @module
 */
import { Graph } from "../graph/graph.ts";
import type { Architecture, Trunk } from "../types.ts";
import { createBuild } from "./build.ts";

/** An architecture with the paths of its linear layers and the names of its parameters. */
export function trunkOf(architecture: Architecture): Trunk {
  const { build, recorded } = createBuild({
    graph: new Graph(),
    mode: "evaluate",
    attached: [],
    initializerRange: architecture.initializerRange,
    labelSmoothing: 0,
    checkpointing: false,
    targets: {},
    trains: () => false,
  });
  architecture.forward(build);
  return { ...architecture, linears: recorded.linears, parameters: [...recorded.parameters.keys()] };
}

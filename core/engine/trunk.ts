/**
 * What a model consists of, found by building it once without adapters.
 * @module
 */
import { Graph } from "../graph/graph.ts";
import type { Architecture, Trunk } from "../types.ts";
import { createBuild } from "./build.ts";

/** An architecture with the paths of its linear layers and embeddings, and the names of its parameters. */
export function trunkOf(architecture: Architecture, modelType: string): Trunk {
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
  return {
    ...architecture,
    modelType,
    linears: [...recorded.linears.keys()],
    conv1ds: [...recorded.linears].filter(([, o]) => o.conv1d).map(([path]) => path),
    embeddings: [...recorded.embeddings.keys()],
    parameters: [...recorded.parameters.keys()],
    shapes: Object.fromEntries([...recorded.parameters].map(([name, p]) => [name, p.shape])),
  };
}

/**
 * An opened run's model and heads, built once for what they ask for by name.
 * @module
 */
import { createGraphBuilder } from "../../engine/builder/builder.ts";
import type { Parameter } from "../../engine/builder/parameters.ts";
import { trainsRule } from "../../engine/program.ts";
import { Graph } from "../../graph/graph.ts";
import type { OpenRun } from "./open_run.ts";

/** A graph without losses, its outputs the heads', and its parameters by name. */
export type Built = Readonly<{ graph: Graph; parameters: ReadonlyMap<string, Parameter> }>;

/** Builds the model and heads of an opened run. */
export function inspectBuilt({ backbone, attached, heads }: Pick<OpenRun, "backbone" | "attached" | "heads">): Built {
  const graph = new Graph();
  const { build, recorded } = createGraphBuilder({
    graph,
    mode: "evaluate",
    attached,
    initializerRange: backbone.initializerRange,
    labelSmoothing: 0,
    checkpointing: false,
    targets: {},
    isTrainable: trainsRule(attached),
    untied: backbone.untied,
  });
  const states = backbone.forward(build);
  for (const head of heads) {
    for (const [name, value] of Object.entries(head.forward(build, states, backbone))) graph.output(name, value);
  }
  return { graph, parameters: recorded.parameters };
}

/**
 * An opened run's model and heads, built once for what they ask for by name.
 * @module
 */
import { createBuild, type Parameter } from "../engine/build.ts";
import { trainsRule } from "../engine/program.ts";
import { Graph } from "../graph/graph.ts";
import type { OpenRun } from "./open_run.ts";

/** A graph without losses, its outputs the heads', and its parameters by name. */
export type Built = Readonly<{ graph: Graph; parameters: ReadonlyMap<string, Parameter> }>;

/** Builds the model and heads of an opened run. */
export function builtOf({ trunk, attached, heads }: Pick<OpenRun, "trunk" | "attached" | "heads">): Built {
  const graph = new Graph();
  const { build, recorded } = createBuild({
    graph,
    mode: "evaluate",
    attached,
    initializerRange: trunk.initializerRange,
    labelSmoothing: 0,
    checkpointing: false,
    targets: {},
    trains: trainsRule(attached),
    untied: trunk.untied,
  });
  const states = trunk.forward(build);
  for (const head of heads) {
    for (const [name, value] of Object.entries(head.forward(build, states, trunk))) graph.output(name, value);
  }
  return { graph, parameters: recorded.parameters };
}

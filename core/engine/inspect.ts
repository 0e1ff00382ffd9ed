/** Inspection of a model with its heads and adapters, by building it once. */
import { Graph } from "../graph/graph.ts";
import type { AttachedAdapter, Backbone, BackboneOutput, GraphBuilder, Head, InspectedBackbone } from "../types.ts";
import { createGraphBuilder } from "./builder/builder.ts";
import { type Parameter, trainsRule } from "./builder/parameters.ts";

/** The parts to inspect. */
export type InspectedParts = Readonly<{
  backbone: Backbone & Partial<Pick<InspectedBackbone, "untied">>;
  heads?: readonly Head[];
  attached?: readonly AttachedAdapter[];
}>;

/** The result of an inspection. */
export type Inspection = Readonly<{
  /** The graph without losses; its outputs are those of the heads. */
  graph: Graph;
  parameters: ReadonlyMap<string, Parameter>;
  /** The modules that the build has called, and their tied tensors. */
  modules: Pick<
    InspectedBackbone,
    "linears" | "conv1ds" | "embeddings" | "scales" | "parameters" | "shapes" | "ties" | "wordLookups"
  >;
}>;

const none: readonly never[] = [];

/** Cached inspections by backbone, heads and adapters, whose lists stay the same objects while a run is open. */
const inspections = new WeakMap<object, WeakMap<object, WeakMap<object, Inspection>>>();

/** Inspects a model with its heads and adapters; the same ones are built only once. */
export function inspect({ backbone, heads = none, attached = none }: InspectedParts): Inspection {
  const ofBackbone = inspections.get(backbone) ?? new WeakMap<object, WeakMap<object, Inspection>>();
  inspections.set(backbone, ofBackbone);
  const ofHeads = ofBackbone.get(heads) ?? new WeakMap<object, Inspection>();
  ofBackbone.set(heads, ofHeads);
  const looked = ofHeads.get(attached) ?? look({ backbone, heads, attached });
  ofHeads.set(attached, looked);
  return looked;
}

function look({ backbone, heads, attached }: Required<InspectedParts>): Inspection {
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
    const outputs = head.forward(build, states, backbone as InspectedBackbone);
    for (const [name, value] of Object.entries(outputs)) graph.output(name, value);
  }
  const { parameters, linears, embeddings, ties } = recorded;
  const { wordEmbeddings } = backbone;
  return {
    graph,
    parameters,
    modules: {
      linears: [...linears.keys()],
      conv1ds: [...linears].filter(([, o]) => o.conv1d).map(([path]) => path),
      embeddings: [...embeddings.keys()],
      scales: Object.fromEntries(
        [...embeddings].flatMap(([path, { scale = 1 }]) => scale === 1 ? [] : [[path, scale]]),
      ),
      wordLookups: [...embeddings].flatMap(([path, { tied }]) =>
        path === wordEmbeddings || tied === `${wordEmbeddings}.weight` ? [path] : []
      ),
      ties: Object.fromEntries(ties),
      parameters: [...parameters.keys()],
      shapes: Object.fromEntries([...parameters].map(([name, p]) => [name, p.shape])),
    },
  };
}

/**
 * Adds to a backbone the paths of its linear layers and embeddings, and the names of its parameters. For an
 * encoder-decoder model whose heads read only the encoder, these are the encoder's.
 */
export function inspectBackbone(architecture: Backbone, heads: readonly Head[] = []): InspectedBackbone {
  const model = { ...architecture, ...inspect({ backbone: architecture }).modules };
  const { decoderStartTokenId: decoderStart, ...config } = model;
  if (decoderStart === undefined || heads.length === 0 || heads.some((head) => !head.readsEncoder)) return model;
  const forward = (b: GraphBuilder): BackboneOutput => architecture.forward(b, { decoder: false });
  const there = inspect({ backbone: { ...architecture, forward } }).modules;
  const isThere = (path: string): boolean => there.parameters.some((name) => name.startsWith(`${path}.`));
  const otherSide = [...config.layers, ...config.embeddings].filter((path) =>
    !isThere(path) && !there.embeddings.includes(path)
  );
  return { ...config, ...there, layers: config.layers.filter(isThere), otherSide, forward };
}

/** Adds the modules of heads to a backbone: everything that adapters may adapt. */
export function withHeads(backbone: InspectedBackbone, heads: readonly Head[]): InspectedBackbone {
  return { ...backbone, ...inspect({ backbone, heads }).modules };
}

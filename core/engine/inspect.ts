/**
 * What a model consists of, found by building it once without adapters.
 * @module
 */
import { Graph } from "../graph/graph.ts";
import type { Backbone, BackboneOutput, GraphBuilder, Head, InspectedBackbone } from "../types.ts";
import { createGraphBuilder } from "./builder/builder.ts";

/**
 * An architecture with the paths of its linear layers and embeddings, and the names of its parameters; of a model with
 * two sides the encoder alone, where that is all that its heads read.
 */
export function inspectBackbone(architecture: Backbone, heads: readonly Head[] = []): InspectedBackbone {
  const whole = { ...architecture, ...asked(architecture, (b) => void architecture.forward(b)) };
  const { decoderStartTokenId: decoderStart, ...own } = whole;
  if (decoderStart === undefined || heads.length === 0 || heads.some((head) => !head.readsEncoder)) return whole;
  const forward = (b: GraphBuilder): BackboneOutput => architecture.forward(b, { decoder: false });
  const there = asked(architecture, (b) => void forward(b));
  const isThere = (path: string): boolean => there.parameters.some((name) => name.startsWith(`${path}.`));
  const otherSide = [...own.layers, ...own.embeddings].filter((path) =>
    !isThere(path) && !there.embeddings.includes(path)
  );
  return { ...own, ...there, layers: own.layers.filter(isThere), otherSide, forward };
}

/** A backbone with what its heads ask for too: what adapters may adapt. */
export function withHeads(backbone: InspectedBackbone, heads: readonly Head[]): InspectedBackbone {
  const forward = (b: GraphBuilder): void => {
    const states = backbone.forward(b);
    for (const head of heads) head.forward(b, states, backbone);
  };
  return { ...backbone, ...asked(backbone, forward) };
}

type Asked = Pick<
  InspectedBackbone,
  "linears" | "conv1ds" | "embeddings" | "scales" | "parameters" | "shapes" | "ties" | "wordLookups"
>;

function asked(
  { initializerRange, wordEmbeddings, untied }: Backbone & Pick<InspectedBackbone, "untied">,
  make: (b: GraphBuilder) => void,
): Asked {
  const { build, recorded } = createGraphBuilder({
    graph: new Graph(),
    mode: "evaluate",
    attached: [],
    initializerRange,
    labelSmoothing: 0,
    checkpointing: false,
    targets: {},
    isTrainable: () => false,
    untied,
  });
  make(build);
  return {
    linears: [...recorded.linears.keys()],
    conv1ds: [...recorded.linears].filter(([, o]) => o.conv1d).map(([path]) => path),
    embeddings: [...recorded.embeddings.keys()],
    scales: Object.fromEntries(
      [...recorded.embeddings].flatMap(([path, { scale = 1 }]) => scale === 1 ? [] : [[path, scale]]),
    ),
    wordLookups: [...recorded.embeddings].flatMap(([path, { tied }]) =>
      path === wordEmbeddings || tied === `${wordEmbeddings}.weight` ? [path] : []
    ),
    ties: Object.fromEntries(recorded.ties),
    parameters: [...recorded.parameters.keys()],
    shapes: Object.fromEntries([...recorded.parameters].map(([name, p]) => [name, p.shape])),
  };
}

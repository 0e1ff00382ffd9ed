/** The graph builder, with which models, adapters, heads and losses write their parts of a graph. */
import type { Value } from "../../graph/graph.ts";
import { selectRows } from "../../graph/row_selection.ts";
import type { AttachedAdapter, GraphBuilder } from "../../types.ts";
import { scaledDotProductAttention } from "./attention.ts";
import { type BuildContext, type BuildInfo, createBuildContext } from "./context.ts";
import { embedding, linear, plainEmbedding, plainLinear } from "./modules.ts";
import type { BuildOptions } from "./options.ts";
import { MODEL } from "./owner.ts";
import { hiddenSizeOf, layer } from "./recompute.ts";
import { countDim, labelPlaces, tokenStream } from "./tokens.ts";

/** A builder over a graph, with a record of what it has built. */
export type RecordedBuilder = Readonly<{
  build: GraphBuilder;
  recorded: BuildInfo;
  /** Runs `make` on behalf of an adapter. */
  within<T>(adapter: AttachedAdapter, make: (b: GraphBuilder) => T): T;
  /** Runs `make` on behalf of a head. */
  inHead<T>(make: () => T): T;
  /** Runs `make` on behalf of a regularizer; without a name, on behalf of the model within a regularizer's pass. */
  asRegularizer<T>(name: string | undefined, make: () => T): T;
}>;

/** Creates a graph builder. */
export function createGraphBuilder(options: BuildOptions): RecordedBuilder {
  const context = createBuildContext(options, () => plain);
  const { owners, parameters, dropout, keyValues, modules } = context;
  let smoothed = false;
  const common = {
    ...commonMembers(context),
    // Recorded, because a loss that never reads it does not support label smoothing.
    labelSmoothing: (): number => {
      smoothed = true;
      return options.labelSmoothing;
    },
  };
  const build = hookedBuilder(context, common);
  const plain = plainBuilder(context, common);
  return {
    build,
    recorded: {
      ...modules,
      parameters: parameters.all,
      masks: dropout.masks,
      keyValueCache: keyValues.outputs,
      smoothed: () => smoothed,
    },
    within: (adapter, make) => owners.as({ ...MODEL, adapter }, () => make(plain)),
    inHead: (make) => owners.as({ part: "head" }, make),
    asRegularizer: (name, make) => owners.as({ ...MODEL, regularizer: name }, make),
  };
}

type HookMembers = "linear" | "embedding" | "attention" | "sublayer";
type CommonMembers = Omit<GraphBuilder, HookMembers | "labelSmoothing">;
type Common = CommonMembers & Readonly<{ labelSmoothing(): number }>;

/** Creates the members that the builders of the model and of middleware have in common. */
function commonMembers(context: BuildContext): CommonMembers {
  const { options, parameters, dropout } = context;
  const { graph, mode, targets } = options;
  return {
    mode,
    graph,
    stream: (side, role) => tokenStream(options, side, role),
    input: (name, dtype, shape) => graph.input(name, dtype, shape),
    hasField: (name) => options.fields?.includes(name) ?? false,
    labelled: (name) => {
      const at = labelPlaces(name);
      return targets[at] && graph.input(at, "int32", [countDim(at)]);
    },
    parameter: (name, shape, init, o = {}) => parameters.declare(name, shape, init, { frozen: o.frozen }),
    trainable: parameters.trainable,
    dropout: dropout.apply,
    noise: dropout.noise,
    rows: (x, index) => rowsOf(context, x, index),
    layer: (path, x, body, also) => layer(context, path, x, body, also),
  };
}

/** Selects rows, with dropout masks for the selected places alone. */
function rowsOf({ options: { graph }, dropout }: BuildContext, x: Value, index: Value): Value {
  return selectRows(x, index, (input, shape) => {
    const origin = graph.origin(input);
    const known = origin?.kind === "input" ? dropout.masks.get(origin.name) : undefined;
    const indexOrigin = graph.origin(index);
    return known && dropout.mask({
      ...known,
      name: `${known.name}@${indexOrigin?.kind === "input" ? indexOrigin.name : index.id}`,
      shape,
    });
  });
}

/** Creates the model's builder, whose hook points call middleware. */
function hookedBuilder(context: BuildContext, { labelSmoothing, ...common }: Common): GraphBuilder {
  const { options: { graph }, owners, keyValues, applyMiddleware } = context;
  return {
    ...common,
    get labelSmoothing() {
      return labelSmoothing();
    },
    linear: (path, x, o) => linear(context, path, x, o),
    embedding: (path, ids, o) => embedding(context, path, ids, o),
    attention: (path, q, newKeys, newValues, options = {}) =>
      graph.within(path, () => {
        const [k, v] = keyValues.update(newKeys, newValues, options);
        return applyMiddleware(
          "attention",
          { path, q, k, v, prefix: 0, options },
          (call) => scaledDotProductAttention(context, call),
        );
      }),
    sublayer: (path, x, body, { residual = x, norm } = {}) => {
      const normOfModel = norm && { norm: (sum: Value): Value => owners.as(MODEL, () => norm(sum)) };
      const call = { path, x, hiddenSize: hiddenSizeOf(x), residual, ...normOfModel };
      return applyMiddleware("sublayer", call, ({ x }) => body(x));
    },
  };
}

/** Creates the builder for middleware, whose hook points do not call middleware. */
function plainBuilder(context: BuildContext, { labelSmoothing, ...common }: Common): GraphBuilder {
  return {
    ...common,
    get labelSmoothing() {
      return labelSmoothing();
    },
    linear: (path, x, o) => plainLinear(context, path, x, o),
    embedding: (path, ids, o) => plainEmbedding(context, path, ids, o),
    attention: (path, q, k, v, options = {}) =>
      scaledDotProductAttention(context, { path, q, k, v, prefix: 0, options }),
    sublayer: (_path, x, body) => body(x),
  };
}

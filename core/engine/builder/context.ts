/** The context that the parts of a graph builder share, and the record of a build. */
import type { Value } from "../../graph/graph.ts";
import type { EmbeddingOptions, GraphBuilder, LinearOptions } from "../../types.ts";
import { type AttentionBias, createAttentionBias } from "./attention_bias.ts";
import { createDropout, type Dropout, type DropoutMask } from "./dropout.ts";
import { createKeyValueEntries, type KeyValueEntries } from "./key_value_cache.ts";
import { type ApplyMiddleware, createMiddleware } from "./middleware.ts";
import type { BuildOptions } from "./options.ts";
import { createOwnerStack, type OwnerStack } from "./owner.ts";
import { createParameterTable, type Parameter, type ParameterTable } from "./parameters.ts";

/** The record of a build. */
export type BuildInfo = Readonly<{
  parameters: ReadonlyMap<string, Parameter>;
  masks: ReadonlyMap<string, DropoutMask>;
  linears: ReadonlyMap<string, LinearOptions>;
  embeddings: ReadonlyMap<string, EmbeddingOptions>;
  /** Tied tensors: from the name that a tensor would have of its own to the name of the parameter that it shares. */
  ties: ReadonlyMap<string, string>;
  layers: readonly Readonly<{ path: string; output: Value }>[];
  attentions: readonly Value[];
  /** The keys and values that generation caches for the next token, by the name of the input that takes them. */
  keyValueCache: ReadonlyMap<string, Value>;
  /** Whether label smoothing was read. */
  smoothed(): boolean;
}>;

/** The modules that a build has called. */
type Modules = Readonly<{
  linears: Map<string, LinearOptions>;
  embeddings: Map<string, EmbeddingOptions>;
  ties: Map<string, string>;
  layers: { path: string; output: Value }[];
  attentions: Value[];
}>;

/** The context that the parts of a builder share. */
export type BuildContext = Readonly<{
  options: BuildOptions;
  owners: OwnerStack;
  parameters: ParameterTable;
  dropout: Dropout;
  attentionBias: AttentionBias;
  keyValues: KeyValueEntries;
  modules: Modules;
  applyMiddleware: ApplyMiddleware;
}>;

/** Creates the context of a new build; `plain` returns the builder for middleware. */
export function createBuildContext(options: BuildOptions, plain: () => GraphBuilder): BuildContext {
  const owners = createOwnerStack();
  return {
    options,
    owners,
    parameters: createParameterTable(options, owners),
    dropout: createDropout(options),
    attentionBias: createAttentionBias(options),
    keyValues: createKeyValueEntries(options),
    modules: { linears: new Map(), embeddings: new Map(), ties: new Map(), layers: [], attentions: [] },
    applyMiddleware: createMiddleware(options, owners, plain),
  };
}

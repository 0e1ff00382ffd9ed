/** Heads, which compute named outputs from hidden states. */
import type { Value } from "../graph/graph.ts";
import type { Named } from "../base/types.ts";
import type { GraphBuilder } from "./build.ts";
import type { Plugin } from "./plugin.ts";
import type { BackboneOutput, InspectedBackbone } from "./architecture.ts";

/** A head, which computes named outputs such as "logits" or "startLogits" from hidden states. */
export interface Head extends Plugin<"head"> {
  /** Modules that train in addition to an adapter, as PEFT's modules_to_save. */
  readonly modulesToSave: readonly string[];
  /** True if several sequences must not share a row. */
  readonly unshareable?: boolean;
  /**
   * True if it reads only the encoder of an encoder-decoder model: if all heads do, the decoder is not built.
   */
  readonly readsEncoder?: boolean;
  forward(b: GraphBuilder, states: BackboneOutput, backbone: InspectedBackbone): Named<Value>;
}

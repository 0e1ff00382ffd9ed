/** Heads: hidden states to named outputs. */
import type { Value } from "../graph/graph.ts";
import type { Named } from "../base/types.ts";
import type { GraphBuilder } from "./build.ts";
import type { Plugin } from "./plugin.ts";
import type { BackboneOutput, InspectedBackbone } from "./architecture.ts";

/** Hidden states to named outputs: "logits", "startLogits". */
export interface Head extends Plugin<"head"> {
  /** Modules that train beside an adapter, as PEFT's modules_to_save. */
  readonly modulesToSave: readonly string[];
  /** True where several sequences may not share a row. */
  readonly unshareable?: boolean;
  /**
   * True where it reads the encoder of a model with two sides: where no head reads more, the other side is not
   * implemented.
   */
  readonly readsEncoder?: boolean;
  forward(b: GraphBuilder, states: BackboneOutput, backbone: InspectedBackbone): Named<Value>;
}

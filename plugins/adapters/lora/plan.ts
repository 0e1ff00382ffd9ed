/** What the parts of an attached LoRA share, and the names of its parameters. */
import type { InspectedBackbone, Tensor } from "../../../core/types.ts";
import type { firstFactors } from "./init.ts";
import type { LoraOptions } from "./options.ts";

/** What the parts of an attached LoRA share. */
export type LoraPlan = Readonly<{
  plugin: string;
  options: LoraOptions;
  backbone: InspectedBackbone;
  targets: ReadonlySet<string>;
  /** Rows of tables that train by themselves, by the path of the module that uses them. */
  tokens: TokenRows;
  /** Whether a module's update is the table's. */
  shares(path: string): boolean;
  /** The module whose update a module has. */
  updateOf(path: string): string;
  rankOf(path: string): number;
  scaleOf(path: string): number;
  /** Inputs that A reads as one; undefined: it reads each. */
  pool: number | undefined;
  init: ReturnType<typeof firstFactors>;
  /** PiSSA and OLoRA start from a weight less their first product; that product stands apart, frozen. */
  parted: boolean;
}>;

/** By the path of a module the rows of its table that train by themselves. `path`: of the table they are rows of. */
export type TokenRows = ReadonlyMap<string, Readonly<{ path: string; ids: readonly number[] }>>;

/** A weight, or a factor of an update, as the host computes with it. */
export type Matrix = Tensor<Float32Array>;

/** The name of a factor of a table's update. */
export const tableFactor = (path: string, part: "A" | "B"): string => `${path}.lora_embedding_${part}`;
/** The name of a factor of a layer's update. */
export const factor = (path: string, part: "A" | "B"): string => `${path}.lora_${part}.weight`;
/** The name of a factor of a first product, which stands apart. */
export const first = (path: string, part: "A" | "B"): string => `${path}.lora_${part}.first`;
/** The name of the magnitudes of a layer. */
export const magnitudeOf = (path: string): string => `${path}.lora_magnitude_vector`;
/** The name of the rows of a table that train by themselves. */
export const deltaOf = (path: string): string => `${path}.token_adapter.trainable_tokens_delta`;

/** The shared state of an attached LoRA, and the names of its parameters. */
import type { InspectedBackbone, Tensor } from "../../../core/types.ts";
import type { firstFactors } from "./init.ts";
import type { LoraOptions } from "./options.ts";

/** The shared state of an attached LoRA. */
export type LoraPlan = Readonly<{
  plugin: string;
  options: LoraOptions;
  backbone: InspectedBackbone;
  targets: ReadonlySet<string>;
  /** Individually trained rows of tables, by the path of the module that uses them. */
  tokens: TokenRows;
  /** Whether a module shares the table's update. */
  shares(path: string): boolean;
  /** The module whose update a module uses. */
  updateOf(path: string): string;
  rankOf(path: string): number;
  scaleOf(path: string): number;
  /** Number of inputs that are pooled for A; undefined: none are. */
  pool: number | undefined;
  init: ReturnType<typeof firstFactors>;
  /** Whether the weight excludes the initial product, which is separate and frozen (PiSSA, OLoRA). */
  parted: boolean;
}>;

/** Individually trained table rows, by the path of the module that uses them. `path`: of the module with the table. */
export type TokenRows = ReadonlyMap<string, Readonly<{ path: string; ids: readonly number[] }>>;

/** A weight, or a factor of an update, for computing on the host. */
export type Matrix = Tensor<Float32Array>;

/** Returns the name of a factor of a table's update. */
export const tableFactor = (path: string, part: "A" | "B"): string => `${path}.lora_embedding_${part}`;
/** Returns the name of a factor of a layer's update. */
export const factor = (path: string, part: "A" | "B"): string => `${path}.lora_${part}.weight`;
/** Returns the name of a factor of a separately stored first product. */
export const first = (path: string, part: "A" | "B"): string => `${path}.lora_${part}.first`;
/** Returns the name of the magnitudes of a layer. */
export const magnitudeOf = (path: string): string => `${path}.lora_magnitude_vector`;
/** Returns the name of a table's individually trained rows. */
export const deltaOf = (path: string): string => `${path}.token_adapter.trainable_tokens_delta`;

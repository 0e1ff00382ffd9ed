/** Weights of linear layers that a library has packed, and what reads them. */
import type { TensorForm } from "../../core/files/safetensors.ts";
import type { Json, MatrixDims, Named } from "../../core/types.ts";
import type { KeptWeight } from "./kept.ts";
import type { StoredTensors } from "./stored_tensors.ts";

/** A packed weight of a linear layer. */
export type PackedWeight = Readonly<{
  /** What it would be called unpacked: the module's path and ".weight". */
  name: string;
  /** [out, in], whatever the model's module has. */
  dims: MatrixDims;
  /** The tensors that it is packed in. */
  parts: readonly string[];
  /** Its values [out, in]. Throws AttuneError if the codes contradict themselves. */
  values(): Promise<Float32Array>;
  /** As sessions keep it; absent: it is decoded at once. */
  stored?: KeptWeight | undefined;
  /** Packs other values in the same layout, as the library's quantizer does; absent: that is not done of this layout. */
  repack?: Repack | undefined;
}>;

/** How a weight gets other values in the layout that it has. */
export type Repack = Readonly<{
  /** The forms of tensors that are not of the form which the old ones have, by their whole names. */
  forms?: Named<TensorForm>;
  /** The bytes of the tensors that values [out, in] change, by their whole names; the others stay as they are. */
  pack(values: Float32Array): Promise<Named<Uint8Array>>;
}>;

/** What reads the weights that a library packs. */
export type PackingMethod = Readonly<{
  /** As `quant_method` of config.json calls it. */
  name: string;
  /** The ends of names of the tensors in which it packs weights, first the one that has the codes. */
  suffixes: readonly [codes: RegExp, ...others: RegExp[]];
  /**
   * The packed weights among a model's tensors; `config`: what its config.json says of the method.
   *
   * @throws AttuneError if a layout is not read, or tensors do not fit each other.
   */
  open(tensors: StoredTensors, config: Named<Json>): Promise<readonly PackedWeight[]>;
}>;

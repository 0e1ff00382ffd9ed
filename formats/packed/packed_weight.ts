/** Packed weights of linear layers, and the methods that read them. */
import type { TensorForm } from "../../core/files/safetensors.ts";
import type { Json, MatrixDims, Named } from "../../core/types.ts";
import type { SessionWeight } from "./session_blocks.ts";
import type { StoredTensors } from "./stored_tensors.ts";

/** A packed weight of a linear layer. */
export type PackedWeight = Readonly<{
  /** The unpacked weight's name: the module's path and ".weight". */
  name: string;
  /** [out, in], whatever the order in the model's module. */
  dims: MatrixDims;
  /** Names of the tensors that it is packed in. */
  parts: readonly string[];
  /** Decodes the values [out, in]. Throws AttuneError if the codes contradict each other. */
  values(): Promise<Float32Array>;
  /** The weight as sessions keep it; absent: it is decoded when it is read. */
  stored?: SessionWeight | undefined;
  /** Packs other values in the same layout, as the library's quantizer does; absent: not supported for the layout. */
  repack?: Repack | undefined;
}>;

/** Packs other values in a weight's existing layout. */
export type Repack = Readonly<{
  /** Dtype and dims of the tensors that get another form than they had, by full name. */
  forms?: Named<TensorForm>;
  /** Returns the bytes of the tensors that the values [out, in] change, by full name; the others stay as they are. */
  pack(values: Float32Array): Promise<Named<Uint8Array>>;
}>;

/** A reader of the weights that one library packs. */
export type PackingMethod = Readonly<{
  /** Its name in `quant_method` of config.json. */
  name: string;
  /** Patterns for the names of the tensors in which it packs weights; the first matches those with codes. */
  suffixes: readonly [codes: RegExp, ...others: RegExp[]];
  /**
   * Returns the packed weights among a model's tensors. `config`: the method's settings in config.json.
   *
   * @throws AttuneError if a layout is not supported, or tensors do not fit each other.
   */
  open(tensors: StoredTensors, config: Named<Json>): Promise<readonly PackedWeight[]>;
}>;

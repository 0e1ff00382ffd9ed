/** Readers of saved adapters, one for each type. */
import type { AttachContext, Host, Weights } from "../core/types.ts";

/** Reads saved adapters for the plugin called `name`, whose options are `O`. */
export type AdapterReader<O> = Readonly<{
  name: string;
  read(path: string, host: Host): Promise<StoredAdapter<O>>;
}>;

/** A saved adapter: its options, and its weights under the names of what it is attached to. */
export type StoredAdapter<O> = Readonly<{
  options: O;
  weights(context: AttachContext): Weights;
  /** Whether this module of the head was trained along with the adapter. Absent: every module was. */
  isTrained?(module: string, context: AttachContext): boolean;
}>;

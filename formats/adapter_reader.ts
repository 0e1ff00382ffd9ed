/** What reads an adapter of one type from a folder. */
import type { AttachContext, Host, Weights } from "../core/types.ts";

/** A reader for a plugin of this name. */
export type AdapterReader<O> = Readonly<{
  name: string;
  read(path: string, host: Host): Promise<StoredAdapter<O>>;
}>;

/** A saved adapter: its options, and its weights under the names of what it is attached to. */
export type StoredAdapter<O> = Readonly<{
  options: O;
  weights(context: AttachContext): Weights;
  /** Whether a module of the head trained beside it; absent: each did. */
  isTrained?(module: string, context: AttachContext): boolean;
}>;

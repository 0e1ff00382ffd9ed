/** What tests of GGUF files share. */
import type { Host, Store } from "../core/types.ts";
import { hostHere } from "../runtimes/host/train.ts";
import { heldStore, tinyHost } from "./tiny.ts";

/** A host whose folder /models has one file, model.gguf. */
export async function hostWith(file: Uint8Array): Promise<Host> {
  const host = tinyHost(await hostHere(1));
  const store: Store = heldStore({ "model.gguf": file });
  return {
    ...host,
    resolve: (path) => path,
    directory: (path) => path === "/models" ? store : host.directory?.(path) as Store,
  };
}

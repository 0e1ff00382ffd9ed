/**
 * The Deno host.
 * @module
 */
import type { Host } from "../../core/types.ts";
import { createHost, type HostOptions } from "./host.ts";

/**
 * A host for Deno over onnxruntime-node.
 *
 * @example
 * ```ts
 * import { deno } from "attune/deno";
 * const host = await deno();
 * console.assert(host.runtime === "deno");
 * ```
 */
export function deno(options: HostOptions = {}): Promise<Host> {
  return createHost("deno", options);
}

/**
 * The Bun host.
 * @module
 */
import type { Host } from "../../core/types.ts";
import { createHost, type HostOptions } from "./host.ts";

/**
 * A host for Bun over onnxruntime-node.
 *
 * @example
 * ```ts
 * import { bun } from "attune/bun";
 * const host = await bun();
 * console.assert(host.runtime === "bun");
 * ```
 */
export function bun(options: HostOptions = {}): Promise<Host> {
  return createHost("bun", options);
}

/**
 * The Node host.
 * @module
 */
import type { Host } from "../../core/types.ts";
import { createHost, type HostOptions } from "./host.ts";

/**
 * A host for Node over onnxruntime-node.
 *
 * @example
 * ```ts
 * import { node } from "attune/node";
 * const host = await node();
 * console.assert(host.runtime === "node");
 * ```
 */
export function node(options: HostOptions = {}): Promise<Host> {
  return createHost("node", options);
}
